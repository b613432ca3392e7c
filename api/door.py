"""Door: what an event by HTTP must pass on its way to Kafka. It refuses at once; nothing piles up before it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

from api.circuit import Circuit
from api.guard import Guard
from api.metrics import ApiMetrics, Refusal
from api.problem_types import ProblemType
from api.problems import RETRY_AFTER_S, Problem
from api.turns import Turns
from schemas.config import DynamicConfig
from schemas.errors import BrokerUnavailable, Unavailable
from streams.core.breaker import BreakerPolicy
from streams.core.ingest import (
    EventSink,
    Headers,
    IngestRecord,
    Published,
    UndecidedRecords,
    Unpublished,
    WindowPolicy,
    Windows,
)

KAFKA = "kafka"
"""The circuit's name."""
POLICY = BreakerPolicy(threshold=3, timeout_s=3.0)
AT_ONCE = 16
"""Requests that wait for the broker at once: of 1 MiB at most each."""
WAITING = 64
WAIT_S = 5.0
FRESH_S = 1.0
"""How long a count of what is undecided holds; with the time that counting takes it is never older than 2 s."""


class Door:
    """One for all routes that take events. Limits are those of the configuration in force."""

    def __init__(
        self,
        sink: EventSink,
        depth: Depth,
        config: Callable[[], DynamicConfig],
        metrics: ApiMetrics,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._sink = sink
        self._depth = depth
        self._config = config
        self._metrics = metrics
        self._clock = clock
        self._windows = Windows()
        turns = Turns(AT_ONCE, waiting=WAITING, within_s=WAIT_S)
        self._guard = Guard(Circuit(KAFKA, POLICY, metrics, clock=clock), turns)

    async def admit(self, client: str, events: int) -> int:
        """How many records are undecided, where these may come in. Raises Problem: 429, or 503 where it is full."""
        config = self._config()
        policy = WindowPolicy(config.ingest_max_rate, config.ingest_rate_window)
        if wait := self._windows.take(client, events, self._clock(), policy):
            self._metrics.ingest_rate_limit_hits.inc()
            self._metrics.ingest_refused(Refusal.RATE_LIMIT, events)
            detail = f"more than {policy.events} events within {policy.window_s:g} s"
            raise Problem(ProblemType.RATE_LIMITED, detail, headers={"Retry-After": str(math.ceil(wait))})
        depth = await self._depth.now()
        if depth >= config.max_ingest_queue_size:
            self._metrics.ingest_refused(Refusal.QUEUE_FULL, events)
            raise _full(depth, config.max_ingest_queue_size)
        return depth

    async def publish(self, records: Sequence[IngestRecord], headers: Headers = ()) -> list[Published | Unpublished]:
        """One outcome for each record. Raises Unavailable where the broker acknowledged none of them."""
        try:
            async with self._guard.asked():
                with self._metrics.ingest_latency.time():
                    outcomes = await self._sink.publish(records, headers)
        except Unavailable as error:
            unknown = isinstance(error, BrokerUnavailable)
            self._metrics.ingest_refused(Refusal.UNKNOWN if unknown else Refusal.KAFKA, len(records))
            raise
        published = sum(isinstance(outcome, Published) for outcome in outcomes)
        self._metrics.ingest_refused(Refusal.UNKNOWN, len(outcomes) - published)
        self._depth.grew(published)
        return outcomes


class Depth:
    """How many records are undecided: counted at most once a second, and guessed while nobody can count."""

    def __init__(
        self, undecided: UndecidedRecords, metrics: ApiMetrics, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._undecided = undecided
        self._gauge = metrics.ingest_queue_depth
        self._clock = clock
        self._counting = asyncio.Lock()
        self._at: float | None = None
        self._found = 0

    async def now(self) -> int:
        """Never raises: without broker or database it is the last count, and what came in here since."""
        if self._counting.locked() and self._at is not None:
            return self._found
        async with self._counting:
            if self._at is None or self._clock() - self._at >= FRESH_S:
                await self._count()
        return self._found

    def grew(self, records: int) -> None:
        self._found += records

    async def _count(self) -> None:
        with suppress(Unavailable):  # the circuits and /ready tell
            self._found = await self._undecided.count()
        self._at = self._clock()
        self._gauge.set(self._found)


def _full(depth: int, limit: int) -> Problem:
    return Problem(
        ProblemType.QUEUE_FULL,
        f"{depth} records are undecided, the limit is {limit}",
        headers={"Retry-After": str(RETRY_AFTER_S)},
        extra={"queue_depth": depth, "queue_limit": limit},
    )
