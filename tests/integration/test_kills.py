"""Workers killed or frozen with work in hand: nothing lost, nothing twice, no ghosts, order kept (I1 to I4)."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from ops.devstack.layout import free_port
from tests.chaos.checker import anomalies
from tests.chaos.plan import plan
from tests.chaos.run import play
from tests.chaos.verdict import verdict
from tests.integration.conftest import System
from tests.integration.load import Load, rules_for_load
from tests.integration.pipeline import gauge, settled, until
from tests.integration.topics import produce_partitions

SEED, KILLS, EVENTS = 7, 8, 20_000


async def processed(system: System) -> int:
    return int(await system.database.pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM partition_progress"))


async def work_in_flight(system: System, load: Load, beyond: int) -> int:
    """Waits until workers make progress beyond a count and have more to do; returns how far they are."""
    end = time.monotonic() + 40
    while (done := await processed(system)) <= beyond or load.sent - done < 100:
        assert time.monotonic() < end, f"no work in flight: {done} of {load.sent} are processed"
        await asyncio.sleep(0.01)
    return done


@pytest.mark.timeout(900)
@pytest.mark.proves("worker.kill", "postgres.cut")
def test_kills_with_work_in_hand_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """A small `make chaos`: workers and servers, COMMITs that are cut off, batches that come when another did them."""
    chosen = plan(SEED, kills=KILLS, events=EVENTS, faults=["freeze", "commit_cut", "duel"])
    answer = verdict(play(chosen, tmp_path / "stack"))
    told = {name: answer[name] for name in ("void", "problems", "anomalies", "examples")}
    assert not any(told.values()), told
    assert answer["kills"] >= KILLS
    assert answer["events"] >= EVENTS
    assert answer["counts"]["lost"] + answer["answers"].get("unknown", 0) >= EVENTS
    assert answer["late_batches"]["refused"] == answer["late_batches"]["came"] > 0


@pytest.mark.proves("worker.freeze")
async def test_a_frozen_worker_that_comes_back_writes_nothing_of_its_own(system: System) -> None:
    """Its partitions belong to another by then: the compare-and-set fences what it had in hand."""
    await rules_for_load(system.database.pool)
    port = free_port()
    frozen = system.start("match-1")
    load = Load(system.stack.kafka.bootstrap, 3000, 400.0, held=True)
    load.start()
    await work_in_flight(system, load, 200)
    frozen.process.send_signal(signal.SIGSTOP)
    try:
        system.start("match-2", match_port=port)
        await work_in_flight(system, load, await processed(system) + 1000)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    await until(lambda: _shared(port), "the frozen worker is a member again")
    await asyncio.to_thread(load.join)
    await settled(system.database.pool, system.stack.kafka.bootstrap)
    for worker in (frozen, system.stack.children["match-2"]):
        assert worker.running
        assert await asyncio.to_thread(worker.stop) == 0
    assert await anomalies(system.database.dsn, system.stack.kafka.bootstrap, load.acked) == []


async def test_a_worker_that_ends_leaves_its_group_and_the_others_learn_it_from_their_next_heartbeat(
    system: System,
) -> None:
    """Nobody waits for the end of its session: that would take two minutes here."""
    ports = {"match-1": free_port(), "match-2": free_port()}
    stays, ends = (system.start(name, match_port=port, session_timeout=120.0) for name, port in ports.items())
    try:
        for port in ports.values():
            await until(partial(_shared, port), "each has some of the partitions", within=90)
        assert await asyncio.to_thread(ends.stop, 30.0) == 0
        await until(lambda: _has_all(ports["match-1"]), "the other has all of them", within=60)
    finally:
        assert await asyncio.to_thread(stays.stop, 30.0) == 0  # killed it would be a member for two minutes


IDLE = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    " AND query LIKE '%partition_progress%'"
)


async def test_a_worker_frozen_within_its_transaction_does_not_hold_its_partition(system: System) -> None:
    """The server ends a session that stands still, and its locks with it; what the worker then does is fenced."""
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    await rules_for_load(pool)
    broken = [(0, b"h1", b"not JSON")] * 3  # with a dead letter the batch is written part by part
    await asyncio.to_thread(produce_partitions, bootstrap, "mutt.ingest.syslog", broken)
    program = [sys.executable, "-m", "tests.integration.stopping_worker"]
    frozen = system.stack.spawn("match-1", program, database_url=system.settings.database_url)
    try:
        await until(lambda: pool.fetchval(IDLE), "it stands still within its transaction")
        other = system.start("match-2")
        await settled(pool, bootstrap, within=90)
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    for worker in (frozen, other):
        assert await asyncio.to_thread(worker.stop, 30.0) == 0, worker.tail()
    assert await anomalies(system.database.dsn, bootstrap) == []


async def _shared(port: int) -> bool:
    """Whether the worker has some of the 24 partitions, not all."""
    return 0 < await asyncio.to_thread(gauge, port, "mutt_partitions_assigned") < 24


async def _has_all(port: int) -> bool:
    return await asyncio.to_thread(gauge, port, "mutt_partitions_assigned") == 24
