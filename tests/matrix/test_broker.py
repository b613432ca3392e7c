"""Kafka dies, stands still, or has no room: what is in hand is committed, nothing is lost, all goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from msgspec.structs import replace

from ops.devstack.kafka import Kafka
from ops.devstack.layout import Layout, free_port
from ops.devstack.stack import Stack
from schemas.secret_names import API_KEY
from streams.adapters.topics import create_topics
from tests.chaos.disk import SmallDisk, small_disk
from tests.chaos.frames import PRODUCE
from tests.chaos.proxy import Fault, Trap
from tests.integration.api_process import get, process
from tests.integration.conftest import Database, System, end_workers
from tests.integration.pipeline import until
from tests.matrix.ground import Ground, frozen, passes, resident, server
from tests.matrix.needs import needs_root

BEYOND_THE_SESSION_S = 9.0
"""The stack's workers are given up after 6 s."""
GIVEN_OUT_S = 4.0
"""What the broker had given out when it froze is committed within that, or it had given out nothing."""


@pytest.mark.proves("broker.kill", "broker.restart")
async def test_killed_while_alerts_wait_for_it_they_are_published_later_and_the_log_is_read_on(ground: Ground) -> None:
    worker = ground.start("match-1")
    key = ground.system.database.secrets.get(API_KEY)
    assert key is not None
    with process(replace(ground.system.settings, api_port=free_port())) as (port, _):
        async with ground.under_load():
            broker = ground.stack.kafka
            await until(lambda: _killed_while_alerts_wait(ground), "a batch is committed that the broker does not take")
            status, _ = await asyncio.to_thread(get, port, "/api/v1/audit-logs", {"X-API-KEY": key.reveal()})
            assert status == 200
            await asyncio.to_thread(broker.start)
            await ground.goes_on()
            assert worker.running


async def _killed_while_alerts_wait(ground: Ground) -> bool:
    """Freezes the broker; kills it once a batch that it had given out is committed. It may have given out none."""
    broker, end = ground.stack.kafka, time.monotonic() + GIVEN_OUT_S
    with frozen(server(broker.child)):
        while time.monotonic() < end:
            if await _unpublished(ground):
                await asyncio.to_thread(broker.kill)
                return True
            await asyncio.sleep(0.1)
    return False


async def _unpublished(ground: Ground) -> int:
    return int(await ground.pool.fetchval("SELECT count(*) FROM alerts WHERE published_at IS NULL"))


@pytest.mark.campaign
@pytest.mark.proves("broker.freeze")
async def test_frozen_beyond_the_session_its_members_come_back_and_repeat_nothing(ground: Ground) -> None:
    workers = [ground.start(name) for name in ("match-1", "match-2")]
    async with ground.under_load():
        with frozen(server(ground.stack.kafka.child)):
            await passes(BEYOND_THE_SESSION_S)
        await ground.goes_on()
        assert all(worker.running for worker in workers)


@pytest.mark.campaign
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


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(96) as disk:
        yield disk


@pytest.fixture
async def narrow(stack: Stack, database: Database, disk: SmallDisk) -> AsyncIterator[Ground]:
    """The system with a broker that lies on a small disk."""
    layout = Layout(disk.path / "home")
    layout.create()
    usual, stack.kafka = stack.kafka, Kafka(layout)
    try:
        await asyncio.to_thread(stack.kafka.start)
        await create_topics(stack.kafka.bootstrap)
        yield Ground(System(stack, database))
    finally:
        end_workers(stack)
        stack.kafka.kill()
        stack.kafka = usual


@needs_root
@pytest.mark.campaign
@pytest.mark.proves("broker.full")
async def test_without_room_it_ends_and_is_waited_for_until_somebody_makes_room(
    narrow: Ground, disk: SmallDisk
) -> None:
    """A Kafka whose only log folder fails ends itself."""
    worker = narrow.start("match-1")
    broker = narrow.stack.kafka
    async with narrow.under_load():
        disk.fill()

        async def ended() -> bool:
            return broker.child is not None and not broker.child.running

        await until(ended, "the broker gives up", within=120)
        disk.empty()
        await asyncio.to_thread(broker.start)
        await narrow.goes_on()
        assert worker.running
