"""`python -m tests.matrix [-k …] [-m campaign]`: runs the tests of the matrix; the last line is one JSON object.

Arguments go to pytest. Each test is named with its outcome, its seconds, and what it measured (`record_property`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest


class Told:
    """A plugin: what came of each test."""

    def __init__(self) -> None:
        self.tests: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            name = report.nodeid.rpartition("/")[2]
            measured = dict(report.user_properties)
            told = {"test": name, "outcome": report.outcome, "seconds": round(report.duration, 1)}
            self.tests.append(told | {"measured": ", ".join(f"{key} {value}" for key, value in measured.items())})


def main(arguments: list[str]) -> int:
    told = Told()
    status = pytest.main([str(Path(__file__).parent), "-q", *arguments], plugins=[told])
    counts = {each: sum(test["outcome"] == each for test in told.tests) for each in ("passed", "failed", "skipped")}
    print(json.dumps({"ok": status == 0 and counts["skipped"] == 0} | counts | {"tests": told.tests}))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
