"""Upkeep: what the API writes and deletes by itself: uses and failures of keys, answers that are past their time."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from schemas.errors import Unavailable
from streams.core.api_keys import Rehash
from streams.core.auth_failures import FailureBook, FailureRow
from streams.core.key_uses import KeyUses

log = structlog.get_logger()

WRITE_S = 5.0
FORGET_EVERY = 120
"""Writes between two deletions: ten minutes."""
AT_ONCE = 1000
"""Rows one statement deletes."""


class KeyNotes(Protocol):
    """Where uses and failures of keys are written. Raises StoreUnavailable; the caller tries again later."""

    async def note_uses(self, uses: Mapping[str, dt.datetime]) -> None:
        """When keys were used last."""

    async def note_hashes(self, hashes: Mapping[str, Rehash]) -> None:
        """Replaces hashes that are still the old ones, by key id."""

    async def note_failures(self, rows: Sequence[FailureRow]) -> None:
        """Adds to what is there."""


Forget = Callable[[int], Awaitable[int]]
"""Deletes at most so many rows that are past their time; returns how many it did."""


class Upkeep:
    """Waits for a store that is away; what is to be written stays in memory, bounded, until it is back."""

    def __init__(
        self,
        store: KeyNotes,
        book: FailureBook,
        uses: KeyUses,
        forgets: Sequence[Forget],
        *,
        hashes: dict[str, Rehash],
    ) -> None:
        self._store = store
        self._book = book
        self._uses = uses
        self._forgets = forgets
        self._hashes = hashes

    async def run(self) -> None:
        """Goes on until cancelled."""
        turn = 0
        while True:
            with suppress(Unavailable):
                await self.write()
                if turn % FORGET_EVERY == 0:
                    await self.forget()
            turn += 1
            await asyncio.sleep(WRITE_S)

    async def write(self) -> None:
        """Writes down who failed and which keys were used. Raises StoreUnavailable."""
        if uses := self._uses.due():
            await self._store.note_uses(uses)
            self._uses.written(uses)
        if hashes := dict(self._hashes):
            await self._store.note_hashes(hashes)
            for key_id in hashes:
                self._hashes.pop(key_id, None)
        if rows := self._book.drain():
            log.warning("failed authentications", failures=sum(row.failures for row in rows), callers=len(rows))
            try:
                await self._store.note_failures(rows)
            except BaseException:
                self._book.put_back(rows)
                raise

    async def forget(self) -> None:
        """Deletes what is past its time, in bounded steps. Raises StoreUnavailable."""
        for forget in self._forgets:
            while await forget(AT_ONCE) == AT_ONCE:
                pass
