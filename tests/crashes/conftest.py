"""The servers are those of the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import broker, database, kafka, postgres, stack, system

__all__ = ["broker", "database", "kafka", "postgres", "stack", "system"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)
