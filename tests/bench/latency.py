"""How long an alert takes: from the source record's arrival in the log to the alert's, both by the broker's clock."""

from __future__ import annotations

import asyncio
import json
import time

from confluent_kafka import Producer

from schemas.topics import SYSLOG
from tests.bench.arena import TOPIC, Arena, events
from tests.integration.pipeline import until
from tests.integration.topics import end_offsets, read_all

RATE = 1_000
WARM_UP_S = 3
PARTITIONS = SYSLOG.partitions


async def latency_ms(arena: Arena, seconds: int) -> dict[str, float]:
    """Milliseconds from source record to alert record at RATE events a second: p50, p95, p99 and how many alerts."""
    arena.fill(0)
    database = await arena.fresh()
    arena.stack.start_worker("match-1", database_url=database.settings.database_url)
    try:
        await until(lambda: _ready(database.pool), "the worker has found its place in every partition")
        count = RATE * (WARM_UP_S + seconds)
        await asyncio.to_thread(_offer, arena, count)
        await until(lambda: _processed(database.pool, count), "every event is processed")
        await until(lambda: _published(database.pool), "every alert is published")
        return await asyncio.to_thread(_percentiles, arena)
    finally:
        arena.clear()
        database.pool.terminate()


def _offer(arena: Arena, count: int) -> None:
    """Publishes one event each millisecond, as a syslog relay would: small batches, at once."""
    producer = Producer({"bootstrap.servers": arena.bootstrap, "acks": "all", "linger.ms": 5})
    began = time.perf_counter()
    for number, (key, value) in enumerate(events(arena.rules, count)):
        producer.produce(TOPIC, value, key=key)
        if number % 10 == 0:
            producer.poll(0)
            time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
    assert producer.flush(30) == 0
    assert sum(end_offsets(arena.bootstrap, TOPIC).values()) == count


async def _ready(pool) -> bool:
    return await pool.fetchval("SELECT count(*) FROM partition_progress WHERE topic = $1", TOPIC) == PARTITIONS


async def _processed(pool, count: int) -> bool:
    return await pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM partition_progress") >= count


async def _published(pool) -> bool:
    return not await pool.fetchval("SELECT EXISTS (SELECT FROM alerts WHERE published_at IS NULL)")


def _percentiles(arena: Arena) -> dict[str, float]:
    sources = {(m.partition(), m.offset()): m.timestamp()[1] for m in read_all(arena.bootstrap, TOPIC)}
    begin = min(sources.values()) + 1000 * WARM_UP_S
    waits = []
    for message in read_all(arena.bootstrap, "mutt.alerts"):
        alert = json.loads(message.value())
        arrived = sources[alert["partition"], alert["offset"]]
        if arrived >= begin:
            waits.append(message.timestamp()[1] - arrived)
    waits.sort()
    figures = {f"p{share}": waits[len(waits) * share // 100] for share in (50, 95, 99)}
    return figures | {"alerts": len(waits)}
