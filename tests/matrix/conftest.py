"""The servers of the integration tests, for tests that break them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from tests.chaos.frames import KafkaFramer, PostgresFramer
from tests.chaos.proxy import Proxy
from tests.integration.conftest import System, broker, database, postgres, stack, system
from tests.matrix.ground import Ground

__all__ = ["broker", "database", "ground", "kafka", "postgres", "proxy", "stack", "system"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def proxy(stack: Stack) -> Iterator[Proxy]:
    """A link to each server. Who asks Kafka through its link is sent back through it."""
    with Proxy() as proxy:
        behind = free_port()
        link = proxy.link("kafka", behind, KafkaFramer)
        stack.kafka.proxied = (behind, link.port)
        proxy.link("postgres", stack.postgres.port, PostgresFramer)
        yield proxy


@pytest.fixture(scope="session")
def kafka(stack: Stack, proxy: Proxy) -> Stack:
    """The stack with Kafka running, reached directly or through the proxy."""
    stack.start_kafka()
    return stack


@pytest.fixture
def ground(system: System, proxy: Proxy) -> Ground:
    proxy.links["postgres"].target = system.stack.postgres.port
    for link in proxy.links.values():
        link.heal()
    return Ground(system, proxy)
