"""`make test` and `make check`: runs the steps, says how each went, and with --json ends with one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import BinaryIO

from tests.programs import bare_environment

ROOT = Path(__file__).parent.parent
CORPUS = ROOT.parent / "shared" / "data"
PROGRAMS = Path(sys.executable).parent

CHECKS = {
    "format": [str(PROGRAMS / "ruff"), "format", "--check", "."],
    "lint": [str(PROGRAMS / "ruff"), "check", "."],
    "types": [str(PROGRAMS / "mypy")],
    "layers": [str(PROGRAMS / "lint-imports")],
}
NO_HYPOTHESIS = ["-p", "no:hypothesispytest"]
"""Its plugin takes a second to import; these tests make nothing up."""
UNITS = ["tests", "--ignore=tests/integration"]
INTEGRATION = ["tests/integration", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", *NO_HYPOTHESIS]
"""Two processes, each with servers of its own."""
GIVES_WAY = ["nice", "-n", "5"]
"""What runs beside tests that look at the time."""


class Steps:
    """Runs programs one after the other and remembers how each went."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def run(self, steps: dict[str, list[str]], output: BinaryIO = sys.stdout.buffer) -> None:
        """What is said goes to `output`."""
        for name, command in steps.items():
            _tell(f"== {name}", output)
            began = time.monotonic()
            done = subprocess.run(
                command, cwd=ROOT, env=bare_environment(), stdout=output, stderr=subprocess.STDOUT, check=False
            )
            self.seconds[name] = round(time.monotonic() - began, 1)
            if done.returncode:
                self.failed.append(name)
                _tell(f"== {name} failed with status {done.returncode}", output)


def _tell(line: str, output: BinaryIO) -> None:
    output.write(line.encode() + b"\n")
    output.flush()


def main(command: str, arguments: list[str]) -> int:
    as_json = "--json" in arguments
    arguments = [argument for argument in arguments if argument != "--json"]
    steps = Steps()
    checks = CHECKS if command == "check" else {}
    if arguments:
        steps.run(checks | {"tests": _pytest(arguments)})
    else:
        _run_all(steps, checks)
    if as_json:
        print(json.dumps({"ok": not steps.failed, "failed": steps.failed, "seconds": steps.seconds}))
    return 1 if steps.failed else 0


def _run_all(steps: Steps, checks: dict[str, list[str]]) -> None:
    """Checks and tests without servers run while those with servers wait; what they say is told at the end."""
    with tempfile.TemporaryFile() as said:
        quiet = {name: GIVES_WAY + command for name, command in (checks | {"units": _pytest(UNITS)}).items()}
        beside = threading.Thread(target=steps.run, args=(quiet, said))
        beside.start()
        steps.run({"integration": _pytest(INTEGRATION)})
        beside.join()
        said.seek(0)
        sys.stdout.buffer.write(said.read())
        sys.stdout.flush()


def _pytest(arguments: list[str]) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    if CORPUS.is_dir():
        return command
    print(f"the real samples are not at {CORPUS}: tests marked `corpus` are left out", flush=True)
    return [*command, "-m", "not corpus"] if "-m" not in arguments else command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
