"""Which committed records are on their topics: written down soon after, for many batches at once."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Sequence

import asyncpg

from schemas.errors import StoreUnavailable
from streams import crash
from streams.adapters.faults import store_faults
from streams.retries import wait_after

GATHER_S = 0.05
"""How long marks are gathered. Who takes over a partition within it publishes again what is not marked yet: readers
drop the second copy, for ids are the same."""


class PublishedMarks:
    """Marks of one worker. What is added is kept until it is written; `run` writes it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._alerts: list[uuid.UUID] = []
        self._letters: list[uuid.UUID] = []
        self._added = asyncio.Event()
        self._writing = asyncio.Lock()

    def add(self, alerts: Sequence[uuid.UUID], letters: Sequence[uuid.UUID]) -> None:
        self._alerts += alerts
        self._letters += letters
        self._added.set()

    async def flush(self) -> None:
        """Writes all that was added before. Raises StoreUnavailable; then it is kept."""
        async with self._writing:
            alerts, letters = list(self._alerts), list(self._letters)
            with store_faults():
                if alerts:
                    await self._pool.execute("UPDATE alerts SET published_at = now() WHERE id = ANY($1)", alerts)
                    del self._alerts[: len(alerts)]
                if letters:
                    await self._pool.execute("UPDATE dead_letters SET published_at = now() WHERE id = ANY($1)", letters)
                    del self._letters[: len(letters)]
            if alerts or letters:
                crash.here("marked")

    async def run(self) -> None:
        """Writes until cancelled; PostgreSQL away is waited for."""
        attempt = 0
        while True:
            await self._added.wait()
            self._added.clear()
            await asyncio.sleep(GATHER_S)
            try:
                await self.flush()
                attempt = 0
            except StoreUnavailable as fault:
                self._added.set()
                await asyncio.sleep(wait_after(fault, attempt, random.random()))  # noqa: S311 - jitter, no secret
                attempt += 1
