"""Two minutes without one of the parts: nothing is blamed, memory stays flat, and the lag is gone by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.integration.forwarding import Receiver, listening
from tests.integration.pipeline import configure, settled, until
from tests.matrix.ground import Ground, resident

OUTAGE_S, RATE = 120.0, 200.0
BACK_S = 240.0
"""From the end of the outage until nothing waits."""
GROWTH = 64 * 2**20
QUICK = {"circuit_breaker_timeout": 10, "moog_rate_limit": 500}
"""By its defaults the breaker alone would wait for five minutes."""

Tell = Callable[[str, object], None]
"""A name and what was measured, for who runs the tests."""


@asynccontextmanager
async def running(ground: Ground, tell: Tell) -> AsyncIterator[Receiver]:
    """Two match workers, a forwarder and a receiver under load; afterwards every alert is delivered, the books balance.

    No worker ended meanwhile, and each is at most 64 MiB larger than it was.
    """
    for key, value in QUICK.items():
        await configure(ground.pool, key, str(value))
    async with listening() as receiver:
        workers = [ground.start("match-1"), ground.start("match-2")]
        workers.append(ground.start("forward-1", webhook_url=receiver.url))
        async with ground.under_load(beyond=2000, rate=RATE) as load:
            before = {worker.pid: resident(worker.pid) for worker in workers}
            yield receiver
            back = time.monotonic()
            await ground.pool.expire_connections()
            waiting = load.sent - await ground.processed()
            await asyncio.to_thread(load.join)
            await settled(ground.pool, ground.bootstrap, within=BACK_S)
            await until(lambda: _nothing_waits(ground), "every alert is delivered", within=BACK_S)
            tell("events_behind", waiting)
            tell("seconds_until_nothing_waits", round(time.monotonic() - back, 1))
            assert time.monotonic() - back < BACK_S
            assert all(worker.running for worker in workers)
            grown = {pid: resident(pid) - size for pid, size in before.items()}
            tell("MiB_grown_at_most", round(max(grown.values()) / 2**20, 1))
            assert max(grown.values()) < GROWTH, grown
    assert len({(post.identity, post.sha256) for post in receiver.posts}) == len({p.identity for p in receiver.posts})


async def _nothing_waits(ground: Ground) -> bool:
    return not await ground.pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'pending'")


async def outage(down: Callable[[], None], up: Callable[[], None]) -> None:
    await asyncio.to_thread(down)
    try:
        await asyncio.sleep(OUTAGE_S)
    finally:
        await asyncio.to_thread(up)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.proves("broker.kill", "broker.restart")
async def test_two_minutes_without_kafka(ground: Ground, record_property: Tell) -> None:
    async with running(ground, record_property):
        await outage(ground.stack.kafka.kill, ground.stack.kafka.start)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.proves("postgres.kill", "postgres.restart")
async def test_two_minutes_without_postgresql(ground: Ground, record_property: Tell) -> None:
    async with running(ground, record_property):
        await outage(ground.stack.postgres.kill, ground.stack.postgres.start)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.proves("receiver.full", "receiver.restart")
async def test_two_minutes_without_the_receiver(ground: Ground, record_property: Tell) -> None:
    async with running(ground, record_property) as receiver:

        def answers(status: int) -> Callable[[], None]:
            return lambda: setattr(receiver, "status", lambda _: status)

        await outage(answers(503), answers(200))
