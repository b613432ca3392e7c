"""PatternGuard: new patterns are compiled in child processes, one request at a time, while the API goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from api.turns import Turns
from schemas.errors import Overloaded
from schemas.rules import Rule
from streams.adapters.patterns import PatternProblem, check_patterns

WAITING = 32
WAIT_S = 10.0


class PatternGuard:
    def __init__(self) -> None:
        self._turns = Turns(1, waiting=WAITING, within_s=WAIT_S)

    async def problems(self, rules: Sequence[Rule]) -> list[PatternProblem]:
        """The rules whose pattern must not be saved. Raises Overloaded."""
        async with self._turns.turn():
            try:
                return await asyncio.to_thread(check_patterns, rules)
            except OSError as error:
                raise Overloaded(f"patterns cannot be checked now: {error}") from error
