"""GuardedTransactions: transactions while the store may be slow or away; nothing piles up before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from api.circuit import Circuit
from api.turns import Turns
from streams.adapters.transactions import Transactions
from streams.core.authors import Author


class GuardedTransactions(Transactions):
    """KnownDown and Overloaded come at once, or at the latest when a turn does.

    The circuit is looked at twice: what waited for its turn must not go to a store that went down meanwhile.
    """

    def __init__(self, pool: asyncpg.Pool, circuit: Circuit, turns: Turns) -> None:
        super().__init__(pool)
        self._circuit = circuit
        self._turns = turns

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        async with self._guard(), super().reading() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self, author: Author) -> AsyncIterator[Any]:
        async with self._guard(), super().writing(author) as connection:
            yield connection

    @asynccontextmanager
    async def _guard(self) -> AsyncIterator[None]:
        self._circuit.check()
        async with self._turns.turn():
            with self._circuit.asked():
                yield
