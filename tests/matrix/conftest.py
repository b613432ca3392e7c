"""The servers of the integration tests, for tests that break them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import System, broker, database, kafka, postgres, stack, system
from tests.matrix.ground import Ground

__all__ = ["broker", "database", "ground", "kafka", "postgres", "stack", "system"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def ground(system: System) -> Ground:
    return Ground(system)
