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

STEPS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "layers": ["lint-imports"],
}


def main(command: str, arguments: list[str]) -> int:
    as_json = "--json" in arguments
    arguments = [argument for argument in arguments if argument != "--json"]
    seconds: dict[str, float] = {}
    failed: list[str] = []
    for name, (program, *options) in STEPS.items() if command == "check" else ():
        _step(name, [str(Path(sys.executable).parent / program), *options], seconds, failed)
    _step("tests", _pytest(arguments), seconds, failed)
    if as_json:
        print(json.dumps({"ok": not failed, "failed": failed, "seconds": seconds}))
    return 1 if failed else 0


WHOLE_SUITE = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
"""Two processes, each with servers of its own; the long files come first."""


def _pytest(arguments: list[str]) -> list[str]:
    command = [sys.executable, "-m", "pytest", "-q", *(arguments or WHOLE_SUITE)]
    if CORPUS.is_dir():
        return command
    print(f"the real samples are not at {CORPUS}: tests marked `corpus` are left out", flush=True)
    return [*command, "-m", "not corpus"] if "-m" not in arguments else command


def _step(name: str, command: list[str], seconds: dict[str, float], failed: list[str]) -> None:
    print(f"== {name}", flush=True)
    began = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, env=bare_environment(), check=False).returncode
    seconds[name] = round(time.monotonic() - began, 1)
    if status:
        failed.append(name)
        print(f"== {name} failed with status {status}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
