"""The servers of the integration tests, for tests that break them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.proxy import Proxy
from tests.integration.conftest import System
from tests.matrix.ground import Ground


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.attacked")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def ground(system: System, proxy: Proxy) -> Ground:
    proxy.links["postgres"].target = system.stack.postgres.port
    for link in proxy.links.values():
        link.heal()
    return Ground(system, proxy)
