"""The table dead_letters: what operators look at, and what the index agent fills."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg

from schemas.dead_letters import DeadLetter
from schemas.rows import DEAD_LETTERS, letter_row
from streams.adapters.faults import store_faults
from streams.adapters.letter_filters import BY_ORIGIN, FACTS, FROM, MATCHES, WHOLE, filter_values, stored_letter
from streams.core.replay import LetterFilter, StoredLetter

_COLUMNS = (*DEAD_LETTERS, "published_at")
_INSERT = (
    "INSERT INTO dead_letters ("  # noqa: S608 - constants
    + ", ".join(f'"{name}"' for name in _COLUMNS)
    + ") VALUES ("
    + ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
    + ") ON CONFLICT (id) DO NOTHING"
)


PREFETCH = 20
"""Letters read at once where they are read whole: each may hold a few MiB."""
READ_TIMEOUT_S = 120.0
"""Bound on the first answer of a statement that sorts every letter."""


class DeadLetters:
    """The table through a pool. Raises StoreUnavailable where PostgreSQL is away; the caller retries."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def insert_absent(self, letters: Sequence[DeadLetter], published_at: dt.datetime) -> int:
        """Inserts the letters that are not there yet by id, as already on the topic. Returns how many that were."""
        with store_faults():
            ids = [letter.id for letter in letters]
            there = {row["id"] for row in await self._pool.fetch("SELECT id FROM dead_letters WHERE id = ANY($1)", ids)}
            absent = {letter.id: letter for letter in letters if letter.id not in there}
            if absent:
                await self._pool.executemany(
                    _INSERT, [(*letter_row(letter), published_at) for letter in absent.values()]
                )
            return len(absent)

    async def newest(self, chosen: LetterFilter, limit: int) -> list[StoredLetter]:
        """The letters that failed last, without key, value and headers."""
        rows = await self._pool.fetch(
            f"SELECT {FACTS} {FROM} WHERE {MATCHES} ORDER BY d.first_failed_at DESC, d.id LIMIT $9",
            *filter_values(chosen),
            limit,
        )
        return [stored_letter(row) for row in rows]

    async def get(self, letter_id: uuid.UUID) -> StoredLetter | None:
        row = await self._pool.fetchrow(f"SELECT {WHOLE} {FROM} WHERE d.id = $1", letter_id)
        return stored_letter(row) if row else None

    async def candidates(self, chosen: LetterFilter) -> AsyncIterator[StoredLetter]:
        """Every letter the filter means, whole, in the order of replay. Locks nothing."""
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            async for stored in every_letter(connection, chosen):
                yield stored

    async def origin_of(
        self, topic: str, partition: int, offset: int, alerts: Sequence[uuid.UUID] = ()
    ) -> list[StoredLetter]:
        """The letters of one record and of these alerts, without key, value and headers."""
        rows = await self._pool.fetch(
            f'SELECT {FACTS} {FROM} WHERE (d.topic = $1 AND d.partition = $2 AND d."offset" = $3)'
            " OR d.alert_id = ANY($4) ORDER BY d.first_failed_at, d.id",
            topic,
            partition,
            offset,
            alerts,
        )
        return [stored_letter(row) for row in rows]


async def every_letter(connection: Any, chosen: LetterFilter) -> AsyncIterator[StoredLetter]:
    """What `candidates` gives, within a transaction."""
    query = f"SELECT {WHOLE} {FROM} WHERE {MATCHES} {BY_ORIGIN}"
    async for row in connection.cursor(query, *filter_values(chosen), prefetch=PREFETCH, timeout=READ_TIMEOUT_S):
        yield stored_letter(row)
