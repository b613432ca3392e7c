"""The clock of a machine is off, set back, or jumps: nothing comes early, late or never, and order is by offset."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.devstack.layout import free_port
from ops.devstack.processes import Child, spawn
from tests.chaos.clock import Clock
from tests.integration.forwarding import Receiver, listening
from tests.integration.pipeline import configure, settled, until
from tests.matrix.ground import Ground, frozen, passes
from tests.matrix.needs import needs_faketime

FROZEN_S = 3.0
QUICK = {
    "circuit_breaker_threshold": 5, "circuit_breaker_timeout": 1, "moog_retry_base_delay": 0.2,
    "moog_retry_max_delay": 1, "moog_rate_limit": 500,
}  # fmt: skip


def start(ground: Ground, clock: Clock, role: str, **settings: object) -> Child:
    """A worker that looks at this clock, as a program of its own: the library is taken in when it starts."""
    name = f"{role}-1"
    ground.ports[name] = free_port()
    where = {"database_url": ground.system.settings.database_url, f"{role}_port": ground.ports[name]}
    environment = ground.stack.environment(**where, **settings) | clock.environment
    log = ground.stack.layout.logs / f"{name}-{os.getpid()}.log"
    child = spawn(name, ground.stack.mutt("worker", role), log=log, environment=environment)
    ground.stack.children[name] = child
    return child


@asynccontextmanager
async def telling_wrong_time(ground: Ground, folder: Path) -> AsyncIterator[tuple[Clock, Receiver, list[Child]]]:
    """Both workers under load, and a receiver. Afterwards every alert is delivered, and the books balance."""
    for key, value in QUICK.items():
        await configure(ground.pool, key, str(value))
    clock = Clock(folder)
    async with listening() as receiver:
        workers = [start(ground, clock, "match"), start(ground, clock, "forward", webhook_url=receiver.url)]
        async with ground.under_load() as load:
            yield clock, receiver, workers
            await asyncio.to_thread(load.join)
            await settled(ground.pool, ground.bootstrap, within=120)
            await until(lambda: _all_delivered(ground), "every alert is delivered")
            assert all(worker.running for worker in workers)


async def _all_delivered(ground: Ground) -> bool:
    return not await ground.pool.fetchval(
        "SELECT count(*) FROM alerts WHERE state = 'pending' AND NOT published_at IS NULL"
    )


async def fails_and_recovers(ground: Ground, receiver: Receiver) -> None:
    """The breaker opens, a probe goes out, retries go on: all of it is counted on clocks."""
    before = len(receiver.posts)
    receiver.status = lambda _: 503

    async def refused() -> bool:
        return len(receiver.posts) > before + 10

    await until(refused, "posts are refused and repeated")
    receiver.status = lambda _: 200
    await ground.goes_on()


@needs_faketime
@pytest.mark.campaign
@pytest.mark.proves("clock.hour", "clock.day", "clock.backwards")
@pytest.mark.timeout(300)
async def test_a_clock_that_is_set_while_working_moves_nothing(ground: Ground, tmp_path: Path) -> None:
    async with telling_wrong_time(ground, tmp_path) as (clock, receiver, _):
        for offset in (3600, -3600, 86400, -86400):
            clock.shows(offset)
            await fails_and_recovers(ground, receiver)


@needs_faketime
@pytest.mark.proves("clock.jump")
async def test_a_clock_that_jumps_while_everybody_stands_still_moves_nothing(ground: Ground, tmp_path: Path) -> None:
    async with telling_wrong_time(ground, tmp_path) as (clock, receiver, workers):
        with frozen(*(worker.pid for worker in workers)):
            clock.shows(3600)
            await passes(FROZEN_S)
        await fails_and_recovers(ground, receiver)
