"""Kafka dies, stands still, or has no room: what is in hand is committed, nothing is lost, all goes on by itself."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from ops.devstack.layout import free_port
from streams.adapters.secrets import API_KEY
from tests.chaos.frames import PRODUCE
from tests.chaos.proxy import Fault, Trap
from tests.integration.api_process import get, process
from tests.integration.pipeline import until
from tests.matrix.ground import Ground, frozen, passes, resident, server

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


@pytest.mark.proves("broker.slow")
async def test_slow_lag_grows_and_memory_does_not(ground: Ground) -> None:
    worker = ground.start_behind_proxy("match-1")
    async with ground.under_load():
        before = resident(worker.pid)
        ground.links["kafka"].suffer(Fault(delay_s=1.0))
        await passes(BEYOND_THE_SESSION_S)
        assert resident(worker.pid) - before < 64 * 2**20
        assert await ground.reads("match-1", "mutt_partitions_assigned") == 24
        ground.links["kafka"].heal()
        await ground.goes_on()
        assert worker.running


@pytest.mark.proves("broker.reset")
async def test_connections_reset_while_publishing_put_no_record_under_a_second_id(ground: Ground) -> None:
    worker = ground.start_behind_proxy("match-1")
    link = ground.links["kafka"]
    async with ground.under_load():
        for share in (0.0, 0.5, 1.0, 1.0, 1.0):
            trap = link.set_trap(Trap(PRODUCE, forward=share))
            assert await asyncio.to_thread(trap.sprung.wait, 60)
            assert link.reset() > 0
            await ground.goes_on()
        assert worker.running
