"""Guard: what stands between requests and a service that may be slow or away, so that nothing piles up before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.circuit import Circuit
from api.turns import Turns


class Guard:
    """The circuit is looked at twice: what waited for its turn must not go to a service that went down meanwhile."""

    def __init__(self, circuit: Circuit, turns: Turns) -> None:
        self._circuit = circuit
        self._turns = turns

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[None]:
        """Around one question. KnownDown and Overloaded come at once, or at the latest when a turn does."""
        self._circuit.check()
        async with self._turns.turn():
            with self._circuit.asked():
                yield
