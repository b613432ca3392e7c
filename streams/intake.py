"""Intake: whether a worker may take in more. Counts the alerts that wait, pauses partitions, gates the lanes.

Two things stop intake fleet-wide: a backlog beyond its threshold, and an operator's `ingest_paused`. Both pause every
assigned partition and close the gate that lanes pass before each batch, so that what was read already waits too. Of
the room before that, a worker uses its share and counts again: so the fleet overshoots by little more than a
`SMALLEST_PART` each, however large batches are.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable, Iterable

import structlog

from schemas.config import DynamicConfig
from schemas.errors import StoreUnavailable
from streams import crash, metrics
from streams.core.backpressure import (
    Backlog,
    Level,
    PressurePolicy,
    allowance,
    level_between,
    pauses_intake,
    records_at_once,
)
from streams.core.pausing import PauseReason
from streams.core.ports import BacklogReader, Clock
from streams.core.rate_limit import share_of
from streams.pauses import PartitionId, Pauses

log = structlog.get_logger()

RECHECK_S = 0.1
"""How often configuration and resume times are looked at; also the longest a closed gate is waited at in one go."""
REST_FACTOR, SHORTEST_REST_S = 10.0, 0.02
"""Counting takes at most a tenth of the time: after a slow count the next one waits longer, however it is wanted."""
JITTER = 0.2


class Intake:
    """One worker's. `run` keeps it current; lanes tell it what they decide."""

    def __init__(
        self,
        *,
        reader: BacklogReader,
        pauses: Pauses,
        config: Callable[[], DynamicConfig],
        clock: Clock,
        fleet_partitions: int,
        spread: Callable[[], float] = random.random,
    ) -> None:
        """`config` is called once the first configuration is there; `spread` gives numbers in [0, 1).

        `fleet_partitions` are those of all workers together.
        """
        self._reader = reader
        self._pauses = pauses
        self._config = config
        self._clock = clock
        self._fleet_partitions = fleet_partitions
        self._spread = spread
        self._partitions: list[PartitionId] = []
        self._resume_at: dict[PauseReason, float] = {}
        self._held: dict[PauseReason, dt.datetime] = {}
        """Since when; outlives a rebalance."""
        self._opened = asyncio.Event()
        self._recount = asyncio.Event()
        self._counted_at: float | None = None
        self._first = asyncio.Event()
        self.backlog = Backlog()
        self.level = Level.CALM

    async def run(self) -> None:
        """Counts and applies until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._count_forever(), name="backlog-count")
            tasks.create_task(self._apply_forever(), name="backlog-apply")

    async def first(self) -> None:
        """Waits until the backlog was counted once; `run` must be running."""
        await self._first.wait()

    # -- what lanes ask and tell ------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """As `opened` waits for: a gate that is shut must be waited at, or lanes would ask for ever without a pause."""
        return self._opened.is_set()

    @property
    def _allowance(self) -> int:
        share = share_of(len(self._partitions), self._fleet_partitions)
        return allowance(self.backlog, PressurePolicy.of(self._config()), share)

    async def opened(self) -> bool:
        """Waits a moment for the gate; whether it is open. The caller asks again, and looks about in between."""
        return await _set_within(self._opened, RECHECK_S)

    @property
    def depth(self) -> int:
        return self.backlog.depth

    @property
    def records_at_once(self) -> int:
        """How many records a lane may decide before it comes to the gate again."""
        return records_at_once(self._allowance)

    def expect(self, alerts: int) -> None:
        """A batch decided to raise so many alerts; ends in `committed` or `withdrawn`."""
        self.backlog.expect(alerts)
        self.apply()

    def committed(self, alerts: int) -> None:
        self.backlog.committed(alerts)

    def withdrawn(self, alerts: int) -> None:
        self.backlog.withdrawn(alerts)

    # -- assignment -------------------------------------------------------------------------------------------

    def assign(self, partitions: Iterable[PartitionId]) -> None:
        """These partitions are the worker's now; what holds intake pauses them at once."""
        self._partitions = list(partitions)
        for reason in self._held:
            self._pause_all(reason)

    # -- applying ---------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Brings level, pauses and gate in line with the backlog and the configuration of this moment."""
        config, now = self._config(), self._clock.monotonic()
        policy = PressurePolicy.of(config)
        self._move_to(level_between(self.level, self.backlog.at_least, self.depth, policy), policy)
        self._hold(PauseReason.BACKLOG, pauses_intake(self.level, policy), now)
        self._hold(PauseReason.OPERATOR, config.ingest_paused, now)
        if self._held:
            self._opened.clear()
        elif self._allowance > 0:
            self._opened.set()
        else:
            self._opened.clear()
            self._recount.set()

    def _move_to(self, level: Level, policy: PressurePolicy) -> None:
        if level != self.level:
            self._tell_crossed(level, policy)
            self.level = level
            metrics.BACKLOG_LEVEL.set(level)
        metrics.ALERTS_PENDING.set(self.depth)

    def _tell_crossed(self, level: Level, policy: PressurePolicy) -> None:
        """One log line and one count for each threshold crossed."""
        thresholds = {Level.WARN: policy.warn, Level.SHED: policy.shed, Level.HARD: policy.hard}
        crossed = [step for step in thresholds if min(level, self.level) < step <= max(level, self.level)]
        rising = level > self.level
        for step in crossed if rising else reversed(crossed):
            _CROSSINGS[step, rising].inc()
            log.log(
                30 if rising else 20,
                "the backlog rose to a threshold" if rising else "the backlog fell clear of a threshold",
                threshold=step.name.lower(), at=thresholds[step], backlog=self.depth,
                mode="defer" if policy.defers else "dlq", intake_pauses=pauses_intake(level, policy),
            )  # fmt: skip

    def _hold(self, reason: PauseReason, wanted: bool, now: float) -> None:
        """Pauses at once; resumes a little later, each worker at a time of its own."""
        held = reason in self._held
        if wanted:
            self._resume_at.pop(reason, None)
            if not held:
                self._held[reason] = self._clock.now()
                self._pause_all(reason)
                log.warning("intake pauses", reason=reason.value, backlog=self.depth)
        elif held and now >= self._resume_at.setdefault(reason, now + self._spread() * self._sleep_s):
            del self._resume_at[reason]
            del self._held[reason]
            for partition in self._partitions:
                self._pauses.release(partition, reason)
            log.warning("intake resumes", reason=reason.value, backlog=self.depth)

    def _pause_all(self, reason: PauseReason) -> None:
        for partition in self._partitions:
            self._pauses.want(partition, reason, self._held[reason])
        crash.here("pause_wanted")

    @property
    def _sleep_s(self) -> float:
        return self._config().alerter_defer_sleep_ms / 1000

    async def _apply_forever(self) -> None:
        while True:
            self.apply()
            if self._counted_at is not None:
                metrics.BACKLOG_COUNT_AGE.set(self._clock.monotonic() - self._counted_at)
            await asyncio.sleep(RECHECK_S)

    # -- counting ---------------------------------------------------------------------------------------------

    async def count(self) -> None:
        """Counts once. Raises StoreUnavailable; then the last count stands."""
        self.backlog.counting()
        self.backlog.counted(await self._reader.pending(self._config().alerter_queue_hard_limit + 1))
        self._counted_at = self._clock.monotonic()
        self._first.set()
        self.apply()

    async def _count_forever(self) -> None:
        while True:
            started = self._clock.monotonic()
            self._recount.clear()
            rest = soonest = self._sleep_s * (1 + JITTER * (2 * self._spread() - 1))
            try:
                await self.count()
                soonest = max(SHORTEST_REST_S, REST_FACTOR * (self._clock.monotonic() - started))
            except StoreUnavailable as fault:
                log.warning("waiting", service="postgresql", error=str(fault), wants="the backlog")
            await asyncio.sleep(soonest)
            await _set_within(self._recount, rest - soonest)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    if event.is_set():
        return True
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


_CROSSINGS = {
    (level, rising): metrics.BACKLOG_CROSSINGS.labels(level.name.lower(), "up" if rising else "down")
    for level in (Level.WARN, Level.SHED, Level.HARD)
    for rising in (True, False)
}
