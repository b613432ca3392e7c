"""One crash of a match worker with one batch in hand: what is there after it, and after the next start."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.crashes.batch import POISONED, TOPIC, Kind, Position, batch, publish
from tests.crashes.lives import die_at
from tests.crashes.points import AGAIN, SENT_FIRST, SKIPPED, TOLD, Point
from tests.integration.conftest import System
from tests.integration.pipeline import add_rule, configure, until

_HELD = """
SELECT (SELECT next_offset FROM partition_progress WHERE topic = $1 AND partition = $2) AS stands,
       (SELECT count(*) FROM audit WHERE topic = $1 AND partition = $2 AND "offset" >= $3) AS audited,
       (SELECT count(*) FROM alerts WHERE topic = $1 AND partition = $2 AND "offset" >= $3) AS alerts,
       (SELECT count(*) FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" >= $3) AS letters,
       (SELECT count(*) FROM unhandled_signatures WHERE topic = $1 AND partition = $2) AS signatures,
       (SELECT count(*) FROM (SELECT FROM alerts WHERE topic = $1 AND partition = $2 AND published_at IS NULL
                              UNION ALL SELECT FROM dead_letters WHERE topic = $1 AND partition = $2
                                           AND published_at IS NULL) waiting) AS unpublished
"""


@dataclass(frozen=True)
class Held:
    """What the tables hold of one batch."""

    stands: int | None
    audited: int
    alerts: int
    letters: int
    signatures: int
    unpublished: int


async def prepare(system: System) -> None:
    """Rules for the batches. Unmatched events have an audit row each."""
    await add_rule(system.database.pool, "link down")
    await configure(system.database.pool, "audit_unhandled_events", "true")
    await system.database.pool.execute(POISONED)


async def crash_with_a_batch(system: System, point: Point, kind: Kind, position: Position, partition: int) -> None:
    """Publishes a batch, lets a worker die at the point with it, and lets another finish it."""
    records = batch(kind, position, partition, poisoned=point.name == "row_refused")
    first = await asyncio.to_thread(publish, system.stack.kafka.bootstrap, partition, records)
    after = first + len(records)
    await die_at(system, point)
    _assert_as_told(point, await held(system, partition, first), first, after)
    worker = system.start("match-1")

    async def done() -> bool:
        now = await held(system, partition, first)
        return now.stands == after and not now.unpublished

    await until(done, "the batch is processed and published")
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()


async def held(system: System, partition: int, first: int) -> Held:
    return Held(*await system.database.pool.fetchrow(_HELD, TOPIC, partition, first))


def _assert_as_told(point: Point, now: Held, first: int, after: int) -> None:
    """What the point's line in RELIABILITY says."""
    nothing = now.stands in (None, first) and not (now.audited or now.alerts or now.letters or now.unpublished)
    there = now.stands == after and now.audited and now.alerts and now.letters and now.signatures
    expected = {
        AGAIN: nothing,
        TOLD: nothing or (there and now.unpublished),
        SENT_FIRST: there and now.unpublished == now.alerts + now.letters,
        SKIPPED: there and not now.unpublished,
    }
    assert expected[point.then], (point, now)
