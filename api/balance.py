"""Balance: the last check of the books, made in the background when somebody asks and it is old."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

import structlog
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable, words
from streams.adapters.ledger_check import Books

log = structlog.get_logger()

FRESH_S = 30.0
WAIT_S = 2.0
"""How long a request waits for a check; beyond that it gets the one before."""


@dataclass(frozen=True, slots=True)
class Checked:
    books: Books
    at: dt.datetime


class Balance:
    """One check at a time, however many ask: it reads the whole index of the audit."""

    def __init__(
        self,
        check: Callable[[], Awaitable[Books]],
        now: Callable[[], dt.datetime],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._check = check
        self._now = now
        self._clock = clock
        self._checking: asyncio.Task[None] | None = None
        self._began = float("-inf")
        self._last: Checked | None = None

    async def last(self, wait_s: float = WAIT_S) -> Checked | None:
        """The newest there is; None before the first. Never raises."""
        if self._checking is None and self._clock() - self._began >= FRESH_S:
            self._began = self._clock()
            self._checking = asyncio.create_task(self._run(), name="ledger-check")
        if self._checking is not None:
            await asyncio.wait([self._checking], timeout=wait_s)
        return self._last

    async def _run(self) -> None:
        try:
            books = await self._check()
            self._last = Checked(books, self._now())
        except (Unavailable, KafkaError, OSError, TimeoutError) as error:
            log.warning("the books cannot be checked", error=words(error))
        finally:
            self._checking = None
