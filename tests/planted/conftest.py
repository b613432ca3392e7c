"""One Kafka, one PostgreSQL and one receiver for all scenarios of a process."""

from __future__ import annotations

import pytest

from ops.devstack.stack import Stack
from tests.integration.conftest import empty_topics, stack


@pytest.fixture(scope="session")
def servers(stack: Stack) -> Stack:
    stack.start_servers()
    empty_topics(stack)
    return stack


__all__ = ["servers", "stack"]
