"""The pause controller: owns which partitions shall be paused and why, and makes the consumer agree.

aiokafka forgets pauses at every rebalance and may only be asked on its own thread, so the desired set lives here and
is reconciled with the consumer's every 200 ms and on every assignment (FAUST.md section 5).
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Protocol

PartitionId = tuple[str, int]

RECONCILE_SECONDS = 0.2


class PauseReason(StrEnum):
    """Why a partition is paused; also the metric's label."""

    LOCATING = "locating"
    """Its position is being read from the database."""
    SINK = "sink"
    """PostgreSQL or the alert topic cannot be written."""
    BREAKER = "breaker"
    """The receiver failed too often: nothing is posted before the breaker lets a probe through."""
    HALTED = "halted"
    """Its log or our own code cannot be trusted; an operator must act."""


class PausableConsumer(Protocol):
    """What the controller asks of the consumer; runs on its thread, waits at most for one turn of its loop."""

    async def pause_exactly(self, wanted: frozenset[PartitionId]) -> None: ...


class Pauses:
    """Desired pauses: partition -> reasons. A partition is resumed when its last reason is gone."""

    def __init__(self) -> None:
        self._reasons: dict[PartitionId, set[PauseReason]] = {}
        self._changed = asyncio.Event()

    def want(self, partition: PartitionId, reason: PauseReason) -> None:
        self._reasons.setdefault(partition, set()).add(reason)
        self._changed.set()

    def release(self, partition: PartitionId, reason: PauseReason) -> None:
        reasons = self._reasons.get(partition, set())
        reasons.discard(reason)
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

    def count(self, reason: PauseReason) -> int:
        return sum(reason in reasons for reasons in self._reasons.values())

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
