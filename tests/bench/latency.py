"""How long an alert takes: from the source record's arrival in the log to the alert's, both by the broker's clock."""

from __future__ import annotations

import asyncio
import json

from schemas.topics import SYSLOG
from tests.bench.arena import TOPIC, Arena
from tests.bench.exact import alerts_on_topic, check_books, check_rival
from tests.bench.pace import offer
from tests.bench.race import PROGRESS, Course, cpu_seconds, reach
from tests.bench.report import Figures, medians, say
from tests.bench.sizes import Sizes
from tests.integration.conftest import Database
from tests.integration.pipeline import until
from tests.integration.topics import read_all

SLOW, FAST = 1_000, 5_000
"""Events a second."""
WARM_UP_S = 3
LATENCY_ROUNDS = 2

Waits = dict[str, float]


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """p99 of mutt at both rates, and of the afternoon's loop at the higher one, in turns."""
    slow = await _mutt(arena, SLOW, sizes.seconds)
    say(f"latency at {SLOW}: {slow}")
    rounds = []
    for number in range(min(sizes.rounds, LATENCY_ROUNDS)):
        ours = await _mutt(arena, FAST, sizes.seconds)
        theirs = await _afternoon(arena, FAST, sizes.seconds)
        rounds.append(
            {"latency_over_afternoon": ours["p99"] / theirs["p99"]}
            | _named("latency", ours, "5k")
            | _named("afternoon_latency", theirs, "5k")
        )
        say(f"latency at {FAST}, round {number + 1}: {rounds[-1]}")
    return _named("latency", slow, "1k") | medians(rounds)


def _named(what: str, waits: Waits, rate: str) -> Waits:
    return {f"{what}_{name}_{'ms_' if name.startswith('p') else ''}{rate}": value for name, value in waits.items()}


async def _mutt(arena: Arena, rate: int, seconds: int) -> Waits:
    arena.fill_topics({})
    async with arena.database() as database:
        child = arena.match(database)
        await placed(database)
        cpu = cpu_seconds(child.pid)
        count = await asyncio.to_thread(offer, arena, arena.events(rate * (WARM_UP_S + seconds)), rate)
        await reach([child], Course(database.pool, TOPIC, count), count)
        used = {"cpu_us": 1e6 * (cpu_seconds(child.pid) - cpu) / count}
        books = await check_books(database, count)
        return await asyncio.to_thread(_percentiles, arena, books.alerts) | used


async def _afternoon(arena: Arena, rate: int, seconds: int) -> Waits:
    """It audits every event, which it has no way not to; its commits are not slower for that than mutt's."""
    arena.fill_topics({})
    async with arena.database() as database:
        child = arena.module("rivals.afternoon", arena.bootstrap, TOPIC, arena.rules_file(), database.dsn)
        await placed(database)
        cpu = cpu_seconds(child.pid)
        count = await asyncio.to_thread(offer, arena, arena.events(rate * (WARM_UP_S + seconds)), rate)
        await reach([child], Course(database.pool, TOPIC, count, PROGRESS), count)
        used = {"cpu_us": 1e6 * (cpu_seconds(child.pid) - cpu) / count}
        decided = await check_rival(database, TOPIC)

        async def published() -> bool:
            return await alerts_on_topic(arena) >= decided["alerted"]

        await until(published, "its alerts, which leave after the commit, are on the topic")
        return await asyncio.to_thread(_percentiles, arena, decided["alerted"]) | used


async def placed(database: Database) -> None:
    """Waits until every partition of the topic has its place."""

    async def ready() -> bool:
        found = await database.pool.fetchval("SELECT count(*) FROM partition_progress WHERE topic = $1", TOPIC)
        return bool(found == SYSLOG.partitions)

    await until(ready, "every partition has its place", within=180)


def _percentiles(arena: Arena, alerts: int) -> Waits:
    """Milliseconds of the alerts whose event came after the warm-up. Each alert must be there, once."""
    sources = {(m.partition(), m.offset()): m.timestamp()[1] for m in read_all(arena.bootstrap, TOPIC)}
    begin = min(sources.values()) + 1000 * WARM_UP_S
    waits, seen = [], set()
    for message in read_all(arena.bootstrap, "mutt.alerts"):
        alert = json.loads(message.value())
        seen.add(alert["id"])
        arrived = sources[alert["partition"], alert["offset"]]
        if arrived >= begin:
            waits.append(message.timestamp()[1] - arrived)
    assert len(seen) == alerts, (len(seen), alerts)
    waits.sort()
    return {f"p{share}": waits[len(waits) * share // 100] for share in (50, 95, 99)} | {"alerts": len(waits)}
