"""GuardedTransactions: transactions while their server may be slow or away; nothing piles up before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from api.guard import Guard
from streams.adapters.transactions import Transactions
from streams.core.authors import Author


class GuardedTransactions(Transactions):
    """Each is one question to the guard: KnownDown and Overloaded come at once."""

    def __init__(self, pool: asyncpg.Pool, guard: Guard) -> None:
        super().__init__(pool)
        self._guard = guard

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        async with self._guard.asked(), super().reading() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self, author: Author, *, answer_s: float | None = None) -> AsyncIterator[Any]:
        async with self._guard.asked(), super().writing(author, answer_s=answer_s) as connection:
            yield connection
