"""Runs tests and tells what came of each, for commands whose last line is one JSON object."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Told:
    """A pytest plugin. Of each test its outcome, its seconds, and what it measured (`record_property`)."""

    status: int = 0
    tests: list[dict[str, Any]] = field(default_factory=list)
    properties: list[tuple[str, Any]] = field(default_factory=list)
    """Of all tests."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self.properties += report.user_properties
        if report.when == "call" or report.outcome != "passed":
            name = report.nodeid.rpartition("/")[2]
            measured = dict(report.user_properties)
            told = {"test": name, "outcome": report.outcome, "seconds": round(report.duration, 1)}
            self.tests.append(told | {"measured": ", ".join(f"{key} {value}" for key, value in measured.items())})

    @property
    def counts(self) -> dict[str, Any]:
        """`ok` only if nothing was left out."""
        counts = {each: sum(test["outcome"] == each for test in self.tests) for each in OUTCOMES}
        return {"ok": self.status == 0 and counts["skipped"] == 0} | counts


OUTCOMES = ("passed", "failed", "skipped")


def run(folder: Path, arguments: list[str]) -> Told:
    """The tests of a folder; the arguments go to pytest."""
    told = Told()
    told.status = int(pytest.main([str(folder), "-q", *arguments], plugins=[told]))
    return told
