"""Turns: how many requests use a service at once, how many may wait for that, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.errors import Overloaded


class Turns:
    """First come, first served; all beyond the bounds are refused at once."""

    def __init__(self, at_once: int, *, waiting: int, within_s: float) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most_waiting = waiting
        self._within_s = within_s
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn and holds it. Raises Overloaded."""
        if self._free.locked() and self._waiting >= self._most_waiting:
            raise Overloaded(f"{self._waiting} requests wait for a turn")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._within_s):
                await self._free.acquire()
        except TimeoutError:
            raise Overloaded(f"no turn within {self._within_s:g} s") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
