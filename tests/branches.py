"""`python -m tests.branches [core|units|whole] [--json]`: lines and branches that tests take, and whether it is enough.

`core`: of decisions and records, by their own tests. `units`: of all the rest (the API, commands, adapters, roles), by
every test without servers. `whole`: of the same, with the integration tests and the programs that they start; a
campaign. A program that is killed tells nothing of what it ran, so somewhat more is taken than is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.run import ROOT, TESTS, WHOLE

DECISIONS = ("schemas/*", "streams/core/*")
_BY = "percent_statements_covered", "percent_branches_covered"


@dataclass(frozen=True)
class Measure:
    """Which tests are run (arguments of pytest, a run each), on which files, and how many percent are enough."""

    runs: tuple[list[str], ...]
    least: float = 0.0
    """0: it only tells."""
    include: tuple[str, ...] = ("*",)
    omit: tuple[str, ...] = ()

    def report(self) -> list[str]:
        """Arguments of `coverage report` and `coverage json`."""
        return [f"--include={','.join(self.include)}", *([f"--omit={','.join(self.omit)}"] if self.omit else [])]


UNITS = TESTS["units"]
MEASURES: Mapping[str, Measure] = {
    "core": Measure((["tests/streams", "tests/schemas", "-n", "2"],), 98.0, include=DECISIONS),
    "units": Measure((UNITS,), omit=DECISIONS),
    "whole": Measure((*TESTS.values(), *WHOLE.values()), 90.0, omit=DECISIONS),
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.branches", description=__doc__)
    parser.add_argument("measure", nargs="?", default="core", choices=MEASURES)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args(arguments)
    measure = MEASURES[options.measure]
    with tempfile.TemporaryDirectory(prefix="mutt-branches-") as folder:
        ended = [_run(Path(folder), run) for run in measure.runs]
        found = _counted(Path(folder), measure)
    passed = all(ended)
    enough = min(found.values()) >= measure.least
    print(
        " ".join(f"{name} {percent:.1f} %" for name, percent in found.items()),
        f"(at least {measure.least:g} % of each)",
    )
    if options.json:
        print(json.dumps({"ok": passed and enough, "passed": passed, "least": measure.least, **found}))
    return 0 if passed and enough else 1


def _run(folder: Path, arguments: list[str]) -> bool:
    """One run of pytest; every process that it starts writes a file of its own into the folder."""
    return _coverage(folder, "run", "-m", "pytest", "-q", *arguments).returncode == 0


def _counted(folder: Path, measure: Measure) -> dict[str, float]:
    """Percent of lines and of branches. Shows the modules that are not taken whole."""
    _coverage(folder, "combine", "--quiet", check=True)
    _coverage(folder, "report", "--skip-covered", *measure.report(), check=True)
    written = folder / "report.json"
    _coverage(folder, "json", "--quiet", "-o", str(written), *measure.report(), check=True)
    totals: dict[str, Any] = json.loads(written.read_text())["totals"]
    return {name: round(totals[key], 2) for name, key in zip(("lines", "branches"), _BY, strict=True)}


def _coverage(folder: Path, command: str, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"COVERAGE_FILE": str(folder / "data")}
    return subprocess.run(
        [sys.executable, "-m", "coverage", command, *arguments], cwd=ROOT, env=environment, check=check
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
