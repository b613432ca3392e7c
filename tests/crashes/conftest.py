"""The servers are those of the integration tests. Tells how many programs died where they were to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crashes.lives import met


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.attacked")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(autouse=True)
def _met(record_property: Callable[[str, object], None]) -> Iterator[None]:
    before = len(met)
    yield
    record_property("died", ",".join(met[before:]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ends = [dict(report.user_properties) for report in terminalreporter.stats.get("", []) if report.when == "teardown"]
    crashes = sum(len(str(end.get("died", "")).split(",")) for end in ends if end.get("died"))
    red = len(terminalreporter.stats.get("failed", [])) + len(terminalreporter.stats.get("error", []))
    terminalreporter.write_line(f"crash points: {crashes} programs died where they were to; red tests: {red}")
