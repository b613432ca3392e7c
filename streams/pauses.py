"""The pause controller: owns which partitions shall be paused and why, and makes the consumer agree.

aiokafka forgets pauses at every rebalance and may only be asked on its own thread, so the desired set lives here and
is reconciled with the consumer's every 200 ms and on every assignment.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from streams import metrics
from streams.clock import SystemClock
from streams.core.ports import Clock

PartitionId = tuple[str, int]

RECONCILE_SECONDS = 0.2


class PauseReason(StrEnum):
    """Why a partition is paused; also the metric's label."""

    LOCATING = "locating"
    """Its position is being read from the database."""
    SINK = "sink"
    """PostgreSQL or the alert topic cannot be written."""
    BACKLOG = "backlog"
    """Too many alerts wait for delivery: the shed threshold in mode defer, the hard limit in both."""
    OPERATOR = "operator"
    """Somebody set `ingest_paused`."""
    BREAKER = "breaker"
    """The receiver failed too often: nothing is posted before the breaker lets a probe through."""
    HALTED = "halted"
    """Its log or our own code cannot be trusted; an operator must act."""


class PausableConsumer(Protocol):
    """What the controller asks of the consumer; runs on its thread, waits at most for one turn of its loop."""

    async def pause_exactly(self, wanted: frozenset[PartitionId]) -> None: ...


class Pause(Struct, frozen=True, order=True):
    """One reason why one partition is paused, and since when."""

    topic: str
    partition: int
    reason: PauseReason
    since: dt.datetime


class Pauses:
    """Desired pauses: partition -> reasons. A partition is resumed when its last reason is gone."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._reasons: dict[PartitionId, dict[PauseReason, dt.datetime]] = {}
        self._changed = asyncio.Event()

    def want(self, partition: PartitionId, reason: PauseReason) -> None:
        self._reasons.setdefault(partition, {}).setdefault(reason, self._clock.now())
        self._changed.set()

    def release(self, partition: PartitionId, reason: PauseReason) -> None:
        reasons = self._reasons.get(partition, {})
        reasons.pop(reason, None)
        if not reasons:
            self._reasons.pop(partition, None)
        self._changed.set()

    def drop_all(self) -> None:
        """Forgets every pause: at a rebalance all partitions are assigned afresh."""
        self._reasons.clear()
        self._changed.set()

    def has(self, partition: PartitionId, reason: PauseReason) -> bool:
        return reason in self._reasons.get(partition, ())

    @property
    def wanted(self) -> frozenset[PartitionId]:
        return frozenset(self._reasons)

    @property
    def current(self) -> list[Pause]:
        """Every pause with its reasons, in order."""
        return sorted(
            Pause(topic, partition, reason, since)
            for (topic, partition), reasons in self._reasons.items()
            for reason, since in reasons.items()
        )

    def count(self, reason: PauseReason) -> int:
        return sum(reason in reasons for reasons in self._reasons.values())

    def measure(self, elapsed_s: float) -> None:
        """Shows how many partitions are paused, and adds the time since the last call to what was paused."""
        for reason, (gauge, counter) in _METRICS.items():
            count = self.count(reason)
            gauge.set(count)
            counter.inc(count * elapsed_s)

    async def reconcile_forever(self, consumer: PausableConsumer) -> None:
        """Keeps the consumer's paused set equal to the desired one until cancelled."""
        while True:
            self._changed.clear()
            await consumer.pause_exactly(self.wanted)
            try:
                async with asyncio.timeout(RECONCILE_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue


_METRICS = {
    reason: (metrics.PARTITIONS_PAUSED.labels(reason.value), metrics.PAUSED_SECONDS.labels(reason.value))
    for reason in PauseReason
}
