"""The pause controller: owns which partitions shall be paused and why, and makes the consumer agree.

aiokafka forgets pauses at every rebalance and may only be asked on its own thread, so the desired set lives here and
is reconciled with the consumer's every 200 ms and on every assignment.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Protocol

import structlog

from schemas.errors import StoreUnavailable
from streams import crash, metrics
from streams.clock import SystemClock
from streams.core.pausing import Pause, PauseReason
from streams.core.ports import Clock, PauseBoard

log = structlog.get_logger()

PartitionId = tuple[str, int]

RECONCILE_SECONDS = 0.2
TELL_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0
"""What the board shows is told again this often, since it fades there."""


class PausableConsumer(Protocol):
    """What the controller asks of the consumer; runs on its thread, waits at most for one turn of its loop."""

    async def pause_exactly(self, wanted: frozenset[PartitionId]) -> None: ...


class Pauses:
    """Desired pauses: partition -> reasons. A partition is resumed when its last reason is gone."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._reasons: dict[PartitionId, dict[PauseReason, dt.datetime]] = {}
        self._changed = asyncio.Event()

    def want(self, partition: PartitionId, reason: PauseReason, since: dt.datetime | None = None) -> None:
        reasons = self._reasons.setdefault(partition, {})
        if reason not in reasons:
            reasons[reason] = since or self._clock.now()
            self._changed.set()

    def release(self, partition: PartitionId, reason: PauseReason) -> None:
        """Nothing, and no turn of the consumer's thread, where it was not wanted: lanes ask after every batch."""
        reasons = self._reasons.get(partition, {})
        if reasons.pop(reason, None) is None:
            return
        if not reasons:
            del self._reasons[partition]
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

    def among(self, reasons: Iterable[PauseReason]) -> list[str]:
        """Those of these reasons for which any partition is paused now."""
        return [reason.value for reason in reasons if self.count(reason)]

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

    async def tell_forever(self, board: PauseBoard) -> None:
        """Keeps the board equal to the desired set until cancelled; the board is for people, so it may be late."""
        told: list[Pause] = []
        told_at = self._clock.monotonic()
        while True:
            current, now = self.current, self._clock.monotonic()
            if current != told or (told and now >= told_at + HEARTBEAT_SECONDS):
                crash.here("pauses_untold")
                try:
                    await board.show(current)
                    told, told_at = current, now
                except StoreUnavailable as fault:
                    log.debug("pauses cannot be told", error=str(fault))
            await asyncio.sleep(TELL_SECONDS)


_METRICS = {
    reason: (metrics.PARTITIONS_PAUSED.labels(reason.value), metrics.PAUSED_SECONDS.labels(reason.value))
    for reason in PauseReason
}

__all__ = ["PausableConsumer", "Pause", "PauseReason", "Pauses"]
