"""Writes what the API says of its own availability, beside the requests: no request ever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import structlog

from schemas.errors import Unavailable
from streams.core.indicator_book import IndicatorBook, IndicatorRow

log = structlog.get_logger()

WRITE_S = 5.0
LAST_WRITE_S = 2.0
"""What a process that ends gives the last write."""


class IndicatorStore(Protocol):
    async def add(self, rows: Sequence[IndicatorRow]) -> None:
        """Adds them, all or none. Raises StoreUnavailable, and then it may still have been written."""


class IndicatorWriter:
    """What cannot be written waits in the book. A write whose answer was lost is made again: counted twice at worst."""

    def __init__(self, book: IndicatorBook, store: IndicatorStore) -> None:
        self._book = book
        self._store = store

    async def write(self) -> None:
        """Raises StoreUnavailable."""
        rows = self._book.drain()
        if not rows:
            return
        try:
            await self._store.add(rows)
        except BaseException:
            self._book.put_back(rows)
            raise

    async def run(self) -> None:
        """Goes on until cancelled."""
        while True:
            await asyncio.sleep(WRITE_S)
            try:
                await self.write()
            except Unavailable as fault:
                log.warning("waiting", part="indicators", error=str(fault), dropped=self._book.dropped)


@asynccontextmanager
async def written(writer: IndicatorWriter) -> AsyncIterator[None]:
    """Writes beside what is inside, and a last time in the end."""
    task = asyncio.create_task(writer.run(), name="indicators")
    task.add_done_callback(_tell)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(LAST_WRITE_S):
                await writer.write()


def _tell(task: asyncio.Task[None]) -> None:
    """Requests are answered without it; but somebody must know."""
    if not task.cancelled() and (error := task.exception()):
        log.error("defect", part="indicators", error=repr(error))
