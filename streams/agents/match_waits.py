"""How a lane waits for what is away: paused, with backoff, for ever if need be, unless it is revoked (I7)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from schemas.errors import Unavailable
from streams.pauses import PauseReason, Pauses
from streams.retries import wait_after

log = structlog.get_logger()

T = TypeVar("T")


class RevokedError(Exception):
    """The lane's partition belongs to another worker now."""


class LaneWaits:
    """The waits of one lane; while it waits its partition is paused."""

    def __init__(self, partition: tuple[str, int], pauses: Pauses) -> None:
        self._partition = partition
        self._pauses = pauses
        self._log = log.bind(topic=partition[0], partition=partition[1])
        self.revoked = False

    async def until_answered(self, call: Callable[[], Awaitable[T]]) -> T:
        """Calls until it answers. Raises RevokedError when the lane is revoked meanwhile."""
        attempt = 0
        while True:
            try:
                answer = await call()
                if attempt:
                    self._pauses.release(self._partition, PauseReason.SINK)
                return answer
            except Unavailable as fault:
                await self.between_tries(fault, attempt)
                attempt += 1

    async def between_tries(self, fault: Unavailable, attempt: int) -> None:
        """One wait; the partition stays paused after it. Raises RevokedError."""
        if self.revoked:
            raise RevokedError from fault
        self._pauses.want(self._partition, PauseReason.SINK)
        await asyncio.sleep(wait_after(fault, attempt, random.random(), self._log))  # noqa: S311 - jitter, no secret

    async def rest(self, seconds: float) -> None:
        """Raises RevokedError when the lane is revoked meanwhile."""
        await asyncio.sleep(seconds)
        if self.revoked:
            raise RevokedError
