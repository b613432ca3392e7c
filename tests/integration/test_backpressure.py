"""Backpressure on real servers: deferring loses nothing, shedding spares the severe, the hard limit bounds both."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest_asyncio

from ops.devstack.layout import free_port
from ops.devstack.processes import Child
from tests.builders import event_json
from tests.chaos.checker import anomalies
from tests.integration.conftest import System
from tests.integration.pipeline import add_rule, ask, configure, gauge, settled, until
from tests.integration.topics import produce

TOPIC = "mutt.ingest.syslog"
BATCH, HELD = 250, 1000
PAUSED = 'mutt_partitions_paused{{reason="{}"}}'


class Bench:
    """A match worker with small caps, and a receiver that is there only once the test starts it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.pool = system.database.pool
        self.bootstrap = system.stack.kafka.bootstrap
        self.port = free_port()
        self.deepest = 0
        self.received = 0

    async def thresholds(self, warn: int, shed: int, hard: int, **more: str) -> None:
        """Hard limit first: what is stored must never contradict itself."""
        values = {"queue_hard_limit": hard, "queue_shed_threshold": shed, "queue_warn_threshold": warn} | more
        for key, value in values.items():
            await configure(self.pool, f"alerter_{key}", str(value))

    async def send(self, count: int, severities: tuple[int, ...] = (5,), hosts: int = 41) -> None:
        def value(number: int) -> bytes:
            severity = severities[number % len(severities)]
            return event_json(hostname=f"h{number % hosts}", message=f"link down {number}", syslog_severity=severity)

        records = [(f"h{number % hosts}".encode(), value(number)) for number in range(count)]
        await asyncio.to_thread(produce, self.bootstrap, TOPIC, records)

    def match(self, name: str = "match-1", port: int | None = None) -> Child:
        return self.system.start(
            name, match_port=port or self.port, batch_records=BATCH, max_poll_records=BATCH, held_records=HELD
        )

    async def forward(self, rate: int = 1000) -> Child:
        await configure(self.pool, "moog_rate_limit", str(rate))
        await asyncio.to_thread(self.system.stack.start_sink)
        self.received = -self._distinct()
        return self.system.start("forward-1")

    def _distinct(self) -> int:
        return int(self.system.stack.sink_stats()["distinct"])

    async def pending(self) -> int:
        depth = int(await self.pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'pending'"))
        self.deepest = max(depth, self.deepest)
        return depth

    async def paused(self, reason: str, port: int | None = None) -> int:
        return int(await asyncio.to_thread(gauge, port or self.port, PAUSED.format(reason)))

    async def until_paused(self, reason: str, depth: int = 0) -> None:
        """Every partition is paused, and what was decided before that is committed."""

        async def all_are() -> bool:
            return await self.paused(reason) == 24 and await self.pending() >= depth

        await until(all_are, f"every partition is paused by {reason}")

    async def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        return await asyncio.to_thread(ask, self.port, path)

    async def is_ready(self) -> bool:
        return bool((await self.ask("/ready"))[1]["status"] == "ready")

    async def standing(self) -> int:
        return int(await self.pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM partition_progress"))

    async def stays(self, seconds: float) -> None:
        """Nothing is processed while the worker says that so much more time was spent paused by its backlog."""
        name = 'mutt_partitions_paused_seconds_total{reason="backlog"}'
        begun, stood = await asyncio.to_thread(gauge, self.port, name), await self.standing()

        async def long_enough() -> bool:
            return await asyncio.to_thread(gauge, self.port, name) - begun >= 24 * seconds

        await until(long_enough, "time passes paused")
        assert await self.standing() == stood

    async def all_delivered(self) -> None:
        async def none_waits() -> bool:
            return await self.pending() == 0

        await settled(self.pool, self.bootstrap)
        await until(none_waits, "every alert is delivered")
        self.received += self._distinct()

    async def counts(self) -> dict[str, int]:
        rows = await self.pool.fetch("SELECT disposition, count(*) AS n FROM audit GROUP BY 1")
        return {row["disposition"]: row["n"] for row in rows}


@pytest_asyncio.fixture
async def bench(system: System) -> Bench:
    await add_rule(system.database.pool, "link down")
    return Bench(system)


async def test_I6_deferring_pauses_above_shed_resumes_below_warn_and_loses_nothing(bench: Bench) -> None:
    await bench.thresholds(200, 400, 100_000, shed_mode="defer")
    await bench.send(4000)
    match = bench.match()
    await bench.until_paused("backlog", 400)
    assert await bench.pending() <= 400 + HELD
    await bench.stays(1.0)
    assert (await bench.ask("/health"))[0] == 200
    status, ready = await bench.ask("/ready")
    assert (status, ready["status"]) == (200, "degraded: paused (backlog)")
    forward = await bench.forward()

    async def drained() -> bool:
        await bench.pending()
        return await bench.standing() == 4000

    await until(drained, "all is processed")
    await bench.all_delivered()
    assert bench.deepest <= 400 + HELD
    assert await bench.counts() == {"alerted": 4000}
    assert bench.received == 4000
    await until(bench.is_ready, "intake is open again")
    for worker in (forward, match):
        assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    assert await anomalies(bench.system.database.dsn, bench.bootstrap) == []


async def test_I6_shedding_goes_by_severity_spares_the_floor_and_is_explained(bench: Bench) -> None:
    await bench.thresholds(100, 200, 10**6)
    await bench.send(4000, severities=tuple(range(8)))
    match = bench.match()
    await settled(bench.pool, bench.bootstrap)
    rows = await bench.pool.fetch("SELECT syslog_severity AS s, disposition, count(*) AS n FROM audit GROUP BY 1, 2")
    counts = {(row["s"], row["disposition"]): row["n"] for row in rows}
    assert [counts.get((severity, "shed"), 0) for severity in range(3)] == [0, 0, 0]
    shed = [counts.get((severity, "shed"), 0) for severity in range(3, 8)]
    assert 0 < shed[0] < shed[-1] < 500
    assert await bench.pending() == 4000 - sum(shed)
    letters = await bench.pool.fetch(
        "SELECT reason, count(*) AS n, count(rule_id) AS ruled FROM dead_letters GROUP BY 1"
    )
    assert [tuple(row) for row in letters] == [("shed", sum(shed), sum(shed))]
    told = 'mutt_alerter_shed_events_total{mode="dlq"}'
    assert await asyncio.to_thread(gauge, bench.port, told) == sum(shed)
    assert await bench.paused("backlog") == 0
    assert await asyncio.to_thread(match.stop) == 0, match.tail()
    assert await anomalies(bench.system.database.dsn, bench.bootstrap) == []


async def test_I6_the_hard_limit_pauses_a_worker_that_may_shed_nothing(bench: Bench) -> None:
    await bench.thresholds(100, 200, 600)
    await bench.send(4000, severities=(0, 1, 2))
    match = bench.match()
    await bench.until_paused("backlog", 600)
    assert await bench.pending() <= 600 + HELD
    forward = await bench.forward()
    await bench.all_delivered()
    assert bench.deepest <= 600 + HELD
    assert bench.received == 4000
    for worker in (forward, match):
        assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    assert await anomalies(bench.system.database.dsn, bench.bootstrap) == []


async def test_thresholds_and_mode_changed_under_load_are_in_force_at_once(bench: Bench) -> None:
    await bench.thresholds(200, 400, 100_000, shed_mode="defer")
    await bench.send(2500, severities=(7,))
    match = bench.match()
    await bench.until_paused("backlog", 400)
    stood = await bench.standing()
    await bench.thresholds(1000, 1800, 100_000, shed_mode="defer")

    async def goes_on() -> bool:
        return await bench.standing() > stood

    await until(goes_on, "it resumes", within=5)
    await bench.until_paused("backlog", 1800)
    await configure(bench.pool, "alerter_shed_mode", "dlq")
    await settled(bench.pool, bench.bootstrap)
    assert (await bench.counts())["shed"] > 0
    assert await asyncio.to_thread(match.stop) == 0, match.tail()
    assert await anomalies(bench.system.database.dsn, bench.bootstrap) == []


async def test_a_rebalance_while_paused_pauses_what_was_assigned_anew(bench: Bench) -> None:
    await bench.thresholds(200, 400, 100_000, shed_mode="defer")
    await bench.send(3000)
    first, other = bench.match(), free_port()
    await bench.until_paused("backlog", 400)
    stood = await bench.standing()
    second = bench.match("match-2", other)

    async def both_paused() -> bool:
        ours, theirs = await bench.paused("backlog"), await bench.paused("backlog", other)
        return ours + theirs == 24 and min(ours, theirs) > 0

    await until(both_paused, "both workers are paused")
    assert await bench.standing() == stood
    forward = await bench.forward()
    await bench.all_delivered()
    assert await bench.counts() == {"alerted": 3000}
    for worker in (forward, first, second):
        assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    assert await anomalies(bench.system.database.dsn, bench.bootstrap) == []
