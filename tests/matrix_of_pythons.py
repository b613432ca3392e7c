"""`python -m tests.matrix_of_pythons`: the wheel on each Python that is there: locked, both programs, a demonstration.

Needs the package index. `--python VERSION` for one; `--no-demo` leaves the demonstration out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.installed import ROOT, build_wheel
from tests.programs import bare_environment

VERSIONS = ("3.11", "3.12", "3.13")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument("--python", action="append", metavar="VERSION", choices=VERSIONS, help="only this one")
    parser.add_argument("--no-demo", action="store_true", help="without the demonstration")
    options = parser.parse_args(arguments)
    failed = []
    with tempfile.TemporaryDirectory(prefix="mutt-matrix-") as folder:
        wheel = build_wheel(Path(folder))
        for version in options.python or VERSIONS:
            if (python := interpreter(version)) is None:
                print(f"{version}  not there")
            elif why := problem(python, wheel, Path(folder) / version, demo=not options.no_demo):
                failed.append(version)
                print(f"{version}  FAILED: {why}")
            else:
                print(f"{version}  ok")
    return 1 if failed else 0


def interpreter(version: str) -> str | None:
    """The program of that version, if there is one that starts."""
    found = shutil.which(f"python{version}")
    works = found is not None and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0
    return found if works else None


def problem(python: str, wheel: Path, environment: Path, *, demo: bool) -> str | None:
    """What went wrong; None where nothing did."""
    programs = environment / "bin"
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps: list[list[str | os.PathLike[str]]] = [
        [python, "-m", "venv", environment],
        [*pip, "--require-hashes", "-r", ROOT / "requirements-dev.lock"],
        [*pip, "--no-deps", wheel],
        [programs / "mutt", "--help"],
        [programs / "muttdev", "--help"],
    ]
    if demo:
        steps.append([programs / "muttdev", "demo", "--once", "--duration", "8", "--rate", "100"])
    settings = bare_environment(MUTT_HOME=str(environment / "home"))
    for step in steps:
        done = subprocess.run(step, cwd=environment.parent, env=settings, capture_output=True, text=True)
        if done.returncode:
            return f"{' '.join(map(str, step[:3]))} …: {(done.stderr or done.stdout)[-1500:]}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
