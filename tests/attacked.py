"""A plugin: the servers that crashes, planted bugs and the fault matrix share: one Kafka, one PostgreSQL a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from tests.chaos.frames import KafkaFramer, PostgresFramer
from tests.chaos.proxy import Proxy
from tests.integration.conftest import broker, database, openbao, postgres, stack, system, vault

__all__ = ["broker", "database", "kafka", "openbao", "postgres", "proxy", "stack", "system", "vault"]


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
