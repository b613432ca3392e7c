"""What a worker's Faust app is set to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest

from schemas.settings import Settings
from schemas.topics import DLQ
from streams.app import Role, create_app


class Idle:
    """A role that is never begun."""

    name, topics = "idle", (DLQ,)

    async def work(self, stream: Any) -> None: ...


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("session_timeout", [6.0, 10.0, 120.0])
def test_a_group_stands_a_second_at_most_until_all_have_learned_of_a_change(
    loop: asyncio.AbstractEventLoop, session_timeout: float
) -> None:
    """A regression: with 3 s between heartbeats each restart cost up to 6 s of standing still."""
    settings = Settings.from_env({"MUTT_SESSION_TIMEOUT": str(session_timeout)})
    app = create_app(settings, cast(Role, Idle()), loop)
    assert app.conf.broker_session_timeout == session_timeout
    assert app.conf.broker_heartbeat_interval <= 1.0
