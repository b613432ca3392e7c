"""Lag: how many records waited to be decided, in the last hour of this process."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

EVERY_S = 15.0
KEPT = 241
"""An hour, and both its ends."""


@dataclass(frozen=True, slots=True)
class LagPoint:
    """Records on the ingest topics that no worker had decided at one moment."""

    at: dt.datetime
    records: int


class LagTrend:
    """`count` never raises: while nobody can count it says what it said last."""

    def __init__(self, count: Callable[[], Awaitable[int]], now: Callable[[], dt.datetime]) -> None:
        self._count = count
        self._now = now
        self._points: deque[LagPoint] = deque(maxlen=KEPT)

    @property
    def points(self) -> list[LagPoint]:
        """The oldest first."""
        return list(self._points)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        self._points.append(LagPoint(self._now(), await self._count()))
