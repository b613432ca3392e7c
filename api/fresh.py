"""Fresh: an answer that holds for some seconds, so that however many ask, one question is put."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Fresh(Generic[T]):
    """Who comes while a question is put shares its answer, or its failure; failures are not kept."""

    def __init__(
        self, ask: Callable[[], Awaitable[T]], *, holds_s: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._ask = ask
        self._holds_s = holds_s
        self._clock = clock
        self._asking: asyncio.Task[T] | None = None
        self._found: tuple[float, T] | None = None

    async def get(self) -> T:
        """Raises what the question raises."""
        if self._found is not None and self._clock() - self._found[0] < self._holds_s:
            return self._found[1]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._put())
        return await asyncio.shield(self._asking)

    async def _put(self) -> T:
        answer = await self._ask()
        self._found = (self._clock(), answer)
        return answer
