"""Writes what the API says of its own availability, beside the requests: no request ever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from schemas.errors import Unavailable
from streams.core.indicator_book import IndicatorBook, IndicatorRow

log = structlog.get_logger()

WRITE_S = 5.0


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
