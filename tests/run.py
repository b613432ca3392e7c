"""`make test` and `make check`: runs the steps, says how each went, and with --json ends with one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

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


def _on(processes: int, *folders: str) -> list[str]:
    return [*folders, "-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"]


PROOF = ("tests/crashes", "tests/planted", "tests/matrix")
TESTS = {
    "units": _on(2, "tests", *(f"--ignore={folder}" for folder in ("tests/integration", *PROOF))),
    "integration": [*_on(2, "tests/integration"), *NO_HYPOTHESIS],
    "proof": [*_on(3, *PROOF), *NO_HYPOTHESIS],
}
"""Each process has servers of its own. Nothing runs beside the integration tests: some of them look at the time. The
proof waits for ends, beginnings and outages more than it works."""


def main(command: str, arguments: list[str]) -> int:
    as_json = "--json" in arguments
    arguments = [argument for argument in arguments if argument != "--json"]
    seconds: dict[str, float] = {}
    failed: list[str] = []
    steps = dict(CHECKS) if command == "check" else {}
    tests = {"tests": arguments} if arguments else TESTS
    for name, step in (steps | {name: _pytest(given) for name, given in tests.items()}).items():
        _step(name, step, seconds, failed)
    if as_json:
        print(json.dumps({"ok": not failed, "failed": failed, "seconds": seconds}))
    return 1 if failed else 0


def _step(name: str, command: list[str], seconds: dict[str, float], failed: list[str]) -> None:
    print(f"== {name}", flush=True)
    began = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, env=bare_environment(), check=False).returncode
    seconds[name] = round(time.monotonic() - began, 1)
    if status:
        failed.append(name)
        print(f"== {name} failed with status {status}", flush=True)


def _pytest(arguments: list[str]) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    if CORPUS.is_dir():
        return command
    print(f"the real samples are not at {CORPUS}: tests marked `corpus` are left out", flush=True)
    return [*command, "-m", "not corpus"] if "-m" not in arguments else command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
