"""Parked letters on mutt.dlq.parked: the table is their outbox, as it is of mutt.dlq."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaProducer

from schemas.rows import row_letter
from schemas.topics import PARKED
from streams import crash
from streams.adapters.exact_producer import send_all_exact
from streams.adapters.faults import store_faults
from streams.adapters.publisher import PUBLISH_DEADLINE_S, acknowledged, acknowledged_within
from streams.core.letters import to_record

AT_ONCE = 20
"""Letters read at once: each may hold a few MiB."""

_WAITING = """
SELECT * FROM dead_letters WHERE state = 'parked' AND parked_published_at IS NULL ORDER BY parked_at, id LIMIT $1
"""
# One that was taken out and parked again meanwhile goes out again.
_MARK = """
UPDATE dead_letters d SET parked_published_at = now() FROM unnest($1::uuid[], $2::timestamptz[]) AS n (id, parked_at)
 WHERE d.id = n.id AND d.state = 'parked' AND d.parked_at IS NOT DISTINCT FROM n.parked_at
"""


class KafkaParkedOutbox:
    """Implements the ParkedOutbox port on a pool and a started producer."""

    def __init__(
        self, pool: asyncpg.Pool, producer: AIOKafkaProducer, *, deadline_s: float = PUBLISH_DEADLINE_S
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._deadline_s = deadline_s

    async def publish_parked(self) -> int:
        published = 0
        while rows := await self._waiting():
            crash.here("parking")
            await self._send(rows)
            crash.here("parked_sent")
            with store_faults():
                await self._pool.execute(_MARK, *map(list, zip(*map(_place, rows), strict=True)))
            published += len(rows)
        return published

    async def _waiting(self) -> list[asyncpg.Record]:
        with store_faults():
            rows: list[asyncpg.Record] = await self._pool.fetch(_WAITING, AT_ONCE)
        return rows

    async def _send(self, rows: Sequence[asyncpg.Record]) -> None:
        async with acknowledged_within(self._deadline_s):
            letters = map(row_letter, rows)
            answers = await send_all_exact(self._producer, PARKED.name, map(to_record, letters))
            await acknowledged(answers)


def _place(row: asyncpg.Record) -> tuple[object, dt.datetime]:
    return row["id"], row["parked_at"]
