"""One crash of a match worker with one batch in hand: what is there after it, and after the next start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from tests.crashes.batch import KINDS, POISONED, TOPIC, Batch, Kind, Position, batch, publish
from tests.crashes.lives import dead_at, die_at, start
from tests.crashes.points import AGAIN, SENT_FIRST, SKIPPED, TOLD, Point
from tests.integration.conftest import System
from tests.integration.pipeline import add_rule, configure, until
from tests.integration.topics import end_offsets

_HELD = """
SELECT (SELECT next_offset FROM partition_progress WHERE topic = $1 AND partition = $2) AS stands,
       (SELECT count(*) FROM audit WHERE topic = $1 AND partition = $2 AND "offset" >= $3) AS audited,
       (SELECT count(*) FROM alerts WHERE topic = $1 AND partition = $2 AND "offset" >= $3) AS alerts,
       (SELECT count(*) FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" >= $3) AS letters,
       (SELECT coalesce(sum(count), 0) FROM unhandled_signatures
         WHERE topic = $1 AND partition = $2 AND hostname = $4) AS unmatched,
       (SELECT count(*) FROM (SELECT FROM alerts WHERE topic = $1 AND partition = $2 AND published_at IS NULL
                              UNION ALL SELECT FROM dead_letters WHERE topic = $1 AND partition = $2
                                           AND published_at IS NULL) waiting) AS unpublished
"""


_TRANSACTIONS = """
SELECT DISTINCT xmin::text FROM audit WHERE topic = $1 AND partition = $2 AND "offset" >= $3 AND "offset" < $4
"""
PARTITIONS = 8


@dataclass(frozen=True)
class Held:
    """What the tables hold of one batch."""

    stands: int | None
    audited: int
    alerts: int
    letters: int
    unmatched: int
    unpublished: int


class Sent(NamedTuple):
    """Records on the topics, all partitions together."""

    alerts: int
    letters: int


async def sent(system: System) -> Sent:
    ends = [
        await asyncio.to_thread(end_offsets, system.stack.kafka.bootstrap, topic)
        for topic in ("mutt.alerts", "mutt.dlq")
    ]
    return Sent(*(sum(end.values()) for end in ends))


async def prepare(system: System) -> None:
    """Rules for the batches. Unmatched events have an audit row each."""
    await add_rule(system.database.pool, "link down")
    await configure(system.database.pool, "audit_unhandled_events", "true")
    await system.database.pool.execute(POISONED)


async def crash_with_a_batch(system: System, point: Point, kind: Kind, position: Position, run: int) -> None:
    """Publishes a batch, lets a worker die at the point with it, and lets another finish it."""
    place = await Place.of(system, batch_for(point, kind, position, run), run)
    before = await sent(system)
    await die_at(system, point)
    await place.assert_as_told(point)
    if point.then in (SENT_FIRST, SKIPPED):
        await place.assert_sent(point, before)
    if point.then == SKIPPED:  # nothing is left to decide: what comes behind it shows that the next worker went past
        behind = run + 100 * PARTITIONS
        await (await Place.of(system, batch(kind, position, behind), behind)).finish()
        assert not (await place.held()).unpublished
    else:
        await place.finish()


async def crash_in_a_row(system: System, point: Point, hands: Iterable[tuple[Kind, Position]]) -> None:
    """The same for each in turn, in fewer lives: who finishes one batch is who dies with the next.

    For points that a worker passes once with each batch that it writes.
    """
    place, passes = None, 0
    for run, (kind, position) in enumerate(hands):
        doomed = start(system, point, 1 + passes)
        if place is not None:
            await until(place.done, "the batch before is processed and published")
        place = await Place.of(system, batch_for(point, kind, position, run), run)
        await dead_at(system, doomed, point)
        passes = await place.assert_as_told(point)
    assert place is not None
    await place.finish()


def batch_for(point: Point, kind: Kind, position: Position, run: int) -> Batch:
    poison = point.name == "row_refused"
    kinds = KINDS[:2] if point.whole or (poison and kind is not Kind.REJECTED) else KINDS
    return batch(kind, position, run, kinds=kinds, poison=poison)


@dataclass(frozen=True)
class Place:
    """Where a batch lies, and what becomes of it."""

    system: System
    partition: int
    first: int
    after: int
    host: str
    unmatched: int

    @classmethod
    async def of(cls, system: System, hand: Batch, run: int) -> Place:
        """Publishes the batch: each run has the next partition."""
        partition = run % PARTITIONS
        first = await asyncio.to_thread(publish, system.stack.kafka.bootstrap, partition, hand.records)
        return cls(system, partition, first, first + len(hand.records), f"host-{run}", hand.unmatched)

    async def held(self) -> Held:
        return Held(*await self.system.database.pool.fetchrow(_HELD, TOPIC, self.partition, self.first, self.host))

    async def done(self) -> bool:
        """Processed and published. It was one batch: of two parts, one would not have met the crash."""
        now = await self.held()
        if now.stands != self.after or now.unpublished:
            return False
        transactions = await self.system.database.pool.fetch(
            _TRANSACTIONS, TOPIC, self.partition, self.first, self.after
        )
        assert (now.unmatched, len(transactions)) == (self.unmatched, 1)
        return True

    async def finish(self) -> None:
        """A worker that nothing befalls processes the batch, publishes what is left of it, and stops."""
        worker = self.system.start("match-1")
        await until(self.done, "the batch is processed and published")
        assert await asyncio.to_thread(worker.stop) == 0, worker.tail()

    async def assert_as_told(self, point: Point) -> bool:
        """What the point's line in RELIABILITY says of the moment after the crash. Whether the batch comes again."""
        now = await self.held()
        rows = now.audited + now.alerts + now.letters + now.unmatched + now.unpublished
        nothing = now.stands in (None, self.first) and not rows
        there = now.stands == self.after and now.audited and now.alerts and now.unmatched
        waiting = there and now.unpublished
        expected = {
            AGAIN: nothing,
            TOLD: nothing or waiting,
            SENT_FIRST: waiting and now.unpublished == now.alerts + now.letters,
            SKIPPED: there and (not now.unpublished or point.name == "acknowledged"),  # marks are made a moment later
        }
        assert expected[point.then], (point, now)
        return nothing

    async def assert_sent(self, point: Point, before: Sent) -> None:
        """How much of the batch the topics hold since then: each crash between two sends is one of its own."""
        now, after = await self.held(), await sent(self.system)
        alerts, letters = after.alerts - before.alerts, after.letters - before.letters
        match point.name:
            case "committed":
                assert (alerts, letters) == (0, 0)
            case "some_alerts_sent" | "some_left_over_sent":
                assert (0 < alerts <= now.alerts, letters) == (True, 0)
            case "alerts_sent":
                assert (alerts, letters) == (now.alerts, 0)
            case _:
                assert (alerts, letters) == (now.alerts, now.letters)
