"""The way to the receiver: how long an alert takes to its 200, and how many the forwarder delivers at what cost."""

from __future__ import annotations

import asyncio
import json
import time

from tests.bench import workload
from tests.bench.arena import TOPIC, Arena
from tests.bench.exact import check_books
from tests.bench.latency import WARM_UP_S, placed
from tests.bench.pace import offer
from tests.bench.race import Course, cpu_seconds, reach
from tests.bench.report import Figures, p99
from tests.bench.sizes import Sizes
from tests.integration.conftest import Database
from tests.integration.pipeline import gauge, until
from tests.integration.topics import read_all

RATE = 1_000
HIT = 0.4
"""Share of events made to match, so that 10 % raise an alert."""
UNLIMITED = {"moog_rate_limit": 10_000, "moog_rate_period": 1}
ALERT_PARTITIONS = 8


class Settled:
    """How many alerts of a database are delivered."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def done(self) -> int:
        return int(await self._pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'delivered'"))


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """`delivery_p99_ms`, `forward_per_s` and `forward_cpu_us`."""
    arena.stack.start_sink()
    figures = await _delays(arena, sizes.seconds)
    return figures | await _capacity(arena, sizes.events)


async def _delays(arena: Arena, seconds: int) -> Figures:
    """From the source record's arrival in the log to the receiver's answer, both by this machine's clock."""
    arena.fill_topics({})
    async with arena.database(**UNLIMITED) as database:
        match = arena.match(database)
        forwarder_port = arena.free_port()
        forward = _forward(arena, database, forwarder_port)
        await placed(database)
        await _assigned(forwarder_port)
        events = workload.events(RATE * (WARM_UP_S + seconds), arena.rules, hit=HIT)
        count = await asyncio.to_thread(offer, arena, events, RATE)
        await reach([match, forward], Course(database.pool, TOPIC, count), count)
        books = await check_books(database, count)
        await reach([forward], Settled(database), books.alerts)
        waits = await asyncio.to_thread(_waits, arena, await _origins(database))
        return {
            "delivery_p50_ms": round(waits[len(waits) // 2], 1),
            "delivery_p99_ms": p99(waits),
            "delivery_alerts": len(waits), "delivery_alert_share": round(books.alerts / count, 3),
        }  # fmt: skip


async def _capacity(arena: Arena, events: int) -> Figures:
    """Alerts that a match worker left on the topic go out as fast as forwarder and receiver can."""
    arena.fill_topics({TOPIC: workload.events(events, arena.rules, hit=HIT)})
    async with arena.database(**UNLIMITED) as database:
        match = arena.match(database)
        await reach([match], Course(database.pool, TOPIC, events), events)
        books = await check_books(database, events)
        match.stop()
        answered = arena.stack.sink_stats()["distinct"]
        forward = _forward(arena, database, arena.free_port())
        settled = Settled(database)
        first = await reach([forward], settled, books.alerts // 20)
        began, cpu = time.perf_counter(), cpu_seconds(forward.pid)
        last = await reach([forward], settled, books.alerts)
        seconds, used = time.perf_counter() - began, cpu_seconds(forward.pid) - cpu
        stats = arena.stack.sink_stats()
        assert stats["distinct"] - answered == books.alerts, (stats, answered, books)
        return {
            "forward_per_s": round((last - first) / seconds), "forward_cpu_us": round(1e6 * used / (last - first), 1),
            "forward_alerts": books.alerts,
        }  # fmt: skip


def _forward(arena: Arena, database: Database, port: int):
    url = f"http://127.0.0.1:{arena.stack.sink_port}/alerts"
    return arena.stack.start_worker(
        "forward-1", database_url=database.settings.database_url, webhook_url=url, forward_port=port
    )


async def _assigned(port: int) -> None:
    async def all_of_them() -> bool:
        return gauge(port, "mutt_partitions_assigned") == ALERT_PARTITIONS

    await until(all_of_them, "the forwarder has its partitions")


async def _origins(database: Database) -> dict[str, tuple[int, int]]:
    rows = await database.pool.fetch('SELECT id, partition, "offset" FROM alerts')
    return {str(row["id"]): (row["partition"], row["offset"]) for row in rows}


def _waits(arena: Arena, origins: dict[str, tuple[int, int]]) -> list[float]:
    """Milliseconds of the alerts whose event came after the warm-up, sorted; each alert was answered with 200 once."""
    sources = {(m.partition(), m.offset()): m.timestamp()[1] for m in read_all(arena.bootstrap, TOPIC)}
    begin = min(sources.values()) + 1000 * WARM_UP_S
    lines = [json.loads(line) for line in arena.stack.sink_log.read_text().splitlines()]
    answered = {line["id"]: line for line in lines if line["id"] in origins}
    assert len(answered) == len(origins), (len(answered), len(origins))
    assert {line["status"] for line in answered.values()} == {200}
    return sorted(
        1000 * answered[alert]["at"] - sources[origin] for alert, origin in origins.items() if sources[origin] >= begin
    )
