"""Kafka dies, stands still, or has no room: what is in hand is committed, nothing is lost, all goes on by itself."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from ops.devstack.layout import free_port
from streams.adapters.secrets import API_KEY
from tests.integration.api_process import get, process
from tests.integration.pipeline import until
from tests.matrix.ground import Ground, frozen, passes, server

BEYOND_THE_SESSION_S = 9.0
"""The stack's workers are given up after 6 s."""


@pytest.mark.proves("broker.kill", "broker.restart")
async def test_killed_while_alerts_wait_for_it_they_are_published_later_and_the_log_is_read_on(ground: Ground) -> None:
    worker = ground.start("match-1")
    key = ground.system.database.secrets.get(API_KEY)
    assert key is not None
    with process(replace(ground.system.settings, api_port=free_port())) as (port, _):
        async with ground.under_load():
            broker = ground.stack.kafka
            with frozen(server(broker.child)):
                await until(lambda: _unpublished(ground), "a batch is committed that the broker does not take")
                await asyncio.to_thread(broker.kill)
            status, _ = await asyncio.to_thread(get, port, "/api/v1/audit-logs", {"X-API-KEY": key.reveal()})
            assert status == 200
            await asyncio.to_thread(broker.start)
            await ground.goes_on()
            assert worker.running


async def _unpublished(ground: Ground) -> int:
    return int(await ground.pool.fetchval("SELECT count(*) FROM alerts WHERE published_at IS NULL"))


@pytest.mark.proves("broker.freeze")
async def test_frozen_beyond_the_session_its_members_come_back_and_repeat_nothing(ground: Ground) -> None:
    workers = [ground.start(name) for name in ("match-1", "match-2")]
    async with ground.under_load():
        with frozen(server(ground.stack.kafka.child)):
            await passes(BEYOND_THE_SESSION_S)
        await ground.goes_on()
        assert all(worker.running for worker in workers)
