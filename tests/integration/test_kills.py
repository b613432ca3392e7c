"""Workers killed with work in hand: nothing lost, nothing twice, no ghosts, order kept (I1 to I4)."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.integration.checker import anomalies
from tests.integration.conftest import System
from tests.integration.load import Load, rules_for_load
from tests.integration.pipeline import settled

EVENTS, RATE = 20_000, 500.0
KILLS = 8
WORKERS = ("match-1", "match-2")


async def processed(system: System) -> int:
    return int(await system.database.pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM partition_progress"))


async def work_in_flight(system: System, load: Load, beyond: int) -> int:
    """Waits until workers make progress beyond a count and have more to do; returns how far they are."""
    end = time.monotonic() + 40
    while (done := await processed(system)) <= beyond or load.sent - done < 100:
        assert time.monotonic() < end, f"no work in flight: {done} of {load.sent} are processed"
        await asyncio.sleep(0.01)
    return done


@pytest.mark.timeout(240)
async def test_kill_9_with_work_in_hand_loses_and_repeats_nothing(system: System) -> None:
    await rules_for_load(system.database.pool)
    for name in WORKERS:
        system.start(name)
    load = Load(system.stack.kafka.bootstrap, EVENTS, RATE)
    load.start()
    done, killed = 0, []
    for number in range(KILLS):
        done = await work_in_flight(system, load, done)
        victim = system.stack.children[WORKERS[number % len(WORKERS)]]
        killed.append((victim.name, victim.running, load.sent - done))
        victim.process.kill()
        victim.process.wait()
        system.start(victim.name)
    in_time = load.running
    load.join()
    await settled(system.database.pool, system.stack.kafka.bootstrap, within=90)
    assert in_time, "the last kills met no new records"
    assert all(running for _, running, _ in killed), killed
    rows = await system.database.pool.fetch("SELECT disposition, count(*) AS n FROM audit GROUP BY disposition")
    counted = {row["disposition"]: row["n"] for row in rows}
    assert min(counted["alerted"], counted["logged"]) > EVENTS // 6, counted
    for name in WORKERS:
        assert system.stack.children[name].stop() == 0
    assert await anomalies(system.database.dsn, system.stack.kafka.bootstrap, load.acked) == []
