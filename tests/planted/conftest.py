"""One Kafka, one PostgreSQL and one receiver for all scenarios of a process."""

from __future__ import annotations

import pytest

from ops.devstack.stack import Stack
from tests.integration.conftest import empty_topics


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.attacked")


@pytest.fixture(scope="session")
def servers(kafka: Stack, postgres: Stack) -> Stack:
    assert kafka is postgres
    kafka.start_sink()
    empty_topics(kafka)
    return kafka
