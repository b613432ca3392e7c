"""What a worker's Faust app is set to."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any, cast

import pytest

from schemas.settings import Settings
from schemas.topics import DLQ
from streams.app import Role, create_app
from streams.dead_letters_role import DeadLettersRole
from streams.forward_role import ForwardRole
from streams.match_role import MatchRole


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


@pytest.mark.checks("FAUST_1", "FAUST_2", "FAUST_3", "FAUST_4")
def test_nothing_of_Faust_is_left_open_to_an_event(loop: asyncio.AbstractEventLoop) -> None:
    """No web, no codec but that of bare bytes, no answer to a topic that a header names, no topic made at run time."""
    app = create_app(Settings(), cast(Role, Idle()), loop)
    assert (app.conf.web_enabled, app.conf.topic_allow_declare, app.conf.topic_disable_leader) == (False, False, True)
    assert (app.conf.key_serializer, app.conf.value_serializer) == ("raw", "raw")
    (agent,) = app.agents.values()
    topic = agent.channel
    assert (topic.key_type, topic.value_type) == (bytes, bytes)
    for role in (MatchRole, ForwardRole, DeadLettersRole):
        assert inspect.iscoroutinefunction(role.work), "no asynchronous generator: it yields no answer"
