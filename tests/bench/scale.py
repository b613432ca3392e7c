"""`make bench ARGS="--only scale"`: what an event costs as partitions, workers, rules, sizes and tables grow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import orjson

from tests.bench import workload
from tests.bench.arena import TOPIC, Arena, Record
from tests.bench.audit_rows import fill
from tests.bench.exact import check_books
from tests.bench.fleet import together
from tests.bench.race import Course, Race, watch
from tests.bench.report import Figures, say
from tests.bench.runs import EVERY_EVENT, mutt
from tests.bench.sizes import Sizes
from tests.integration.topics import end_offsets, produce_partitions

PARTITIONS = (1, 2, 4, 8)
WORKERS = (1, 2, 4)
RULES = (10, 100, 1_000, 10_000)
BYTES = (100, 350, 1_024, 4_096, 16_384, 61_440)
"""Of an event; 60 KiB of message and its fields are the largest that is audited whole."""
SHARES = (0.0, 0.3, 0.6, 1.0)
IN_ALL = 256 * 1024 * 1024
"""Bytes of one run at most: large events are fewer."""

Point = dict[str, float]
Points = AsyncIterator[tuple[float, Race]]


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """For each dimension a list of points: its value, CPU an event, events a second."""
    scale: dict[str, list[Point]] = {}
    for name, points in DIMENSIONS.items():
        scale[name] = []
        async for value, race in points(arena, sizes):
            scale[name].append({"value": value, "cpu_us": round(race.cpu_us, 2), "events_per_s": round(race.rate)})
            say(f"{name} {value}: {scale[name][-1]}")
    return {"scale": scale, "events": sizes.events, "flat": {name: _growth(points) for name, points in scale.items()}}


def _growth(points: list[Point]) -> float:
    """CPU an event of the largest over the smallest."""
    return round(points[-1]["cpu_us"] / points[0]["cpu_us"], 2)


async def _partitions(arena: Arena, sizes: Sizes) -> Points:
    for count in PARTITIONS:
        arena.fill_topics({})
        spread = [(number % count, key, value) for number, (key, value) in enumerate(arena.events(sizes.events))]
        await asyncio.to_thread(produce_partitions, arena.bootstrap, TOPIC, spread)
        arena.ends[TOPIC] = end_offsets(arena.bootstrap, TOPIC)
        yield count, (await mutt(arena, **EVERY_EVENT)).race


async def _workers(arena: Arena, sizes: Sizes) -> Points:
    for count in WORKERS:
        yield count, await together(arena, count, sizes.events)


async def _rules(arena: Arena, sizes: Sizes) -> Points:
    arena.fill_topics({TOPIC: workload.events(sizes.events, workload.mixed(RULES[0]))})
    for count in RULES:
        yield count, (await mutt(arena, rules=workload.mixed(count), **EVERY_EVENT)).race


async def _bytes(arena: Arena, sizes: Sizes) -> Points:
    for size in BYTES:
        arena.fill_topics({TOPIC: sized(arena, size, min(sizes.events, IN_ALL // size))})
        yield size, (await mutt(arena, **EVERY_EVENT)).race


async def _shares(arena: Arena, sizes: Sizes) -> Points:
    for share in SHARES:
        arena.fill_topics({TOPIC: workload.events(sizes.events, arena.rules, hit=share)})
        yield share, (await mutt(arena, **EVERY_EVENT)).race


async def _tables(arena: Arena, sizes: Sizes) -> Points:
    for rows in (0, sizes.table_rows // 4, sizes.table_rows):
        yield rows, await _over_rows(arena, sizes.events, rows)


async def _over_rows(arena: Arena, events: int, rows: int) -> Race:
    """With so many audit rows there already."""
    arena.fill_topics({})
    async with arena.database(**EVERY_EVENT) as database:
        async with database.pool.acquire() as connection:
            if rows:
                await fill(connection, rows, alerts=False)
            await connection.execute("CHECKPOINT", timeout=300)
            since = await connection.fetchval("SELECT clock_timestamp()")
        adding = asyncio.create_task(asyncio.to_thread(arena.add, TOPIC, arena.events(events)))
        race = await watch(arena.match(database), Course(database.pool, TOPIC, events))
        await adding
        await check_books(database, events, every_event_audited=True, since=since)
        return race


def sized(arena: Arena, size: int, count: int) -> Iterator[Record]:
    """Events of about so many bytes: below 350 without what is optional, above with a longer message."""
    if size >= 350:
        yield from workload.events(count, arena.rules, padding=size - 350)
        return
    for key, value in arena.events(count):
        event = orjson.loads(value or b"{}")
        yield key, orjson.dumps({name: event[name][:60] for name in ("timestamp", "hostname", "message")})


DIMENSIONS: dict[str, Callable[[Arena, Sizes], Points]] = {
    "partitions": _partitions, "workers": _workers, "rules": _rules, "event_bytes": _bytes, "share_of_matches": _shares,
    "table_rows": _tables,
}  # fmt: skip
