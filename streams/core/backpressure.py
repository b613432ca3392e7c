"""Backpressure: from how many alerts wait to what is held back or shed. Policy frozen, state apart, no clock."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from schemas.config import DynamicConfig
from schemas.rules import AlertSeverity

LEAST_SEVERE = 7
SMALLEST_PART = 100
"""Records a lane takes at once however little room is left: a transaction for each would be no intake at all."""


class Level(IntEnum):
    """How far the backlog has risen; the number is the value of the gauge."""

    CALM = 0
    WARN = 1
    SHED = 2
    HARD = 3


class PressurePolicy(Struct, frozen=True, kw_only=True):
    """Thresholds in pending alerts; `warn < shed < hard`."""

    warn: int
    shed: int
    hard: int
    defers: bool
    """Above `shed` intake pauses; else alerts are shed by severity."""
    floor: int
    """This syslog severity or worse is never shed."""

    @classmethod
    def of(cls, config: DynamicConfig) -> PressurePolicy:
        return cls(
            warn=config.alerter_queue_warn_threshold,
            shed=config.alerter_queue_shed_threshold,
            hard=config.alerter_queue_hard_limit,
            defers=config.alerter_shed_mode == "defer",
            floor=config.alerter_shed_severity_floor,
        )

    @property
    def calm_below(self) -> int:
        """A tenth below the warn threshold, so that a backlog that hovers there is told once."""
        return max(1, self.warn - self.warn // 10)

    @property
    def hard_until(self) -> int:
        """Half-way down to the shed threshold: one batch must not pause and resume the fleet in turn."""
        return self.shed + (self.hard - self.shed) // 2


def next_level(level: Level, depth: int, policy: PressurePolicy) -> Level:
    """The level at this depth, coming from `level`. It rises at each threshold and falls below a lower one."""
    reached = _reached(depth, policy)
    if reached >= level:
        return reached
    if level is Level.HARD:
        return level if depth > policy.hard_until else next_level(Level.SHED, depth, policy)
    if level is Level.SHED:
        return level if depth >= policy.warn else next_level(Level.WARN, depth, policy)
    return level if depth >= policy.calm_below else Level.CALM


def level_between(level: Level, at_least: int, at_most: int, policy: PressurePolicy) -> Level:
    """The level where the depth is not known exactly: it rises and falls only as both bounds do."""
    return min(max(level, next_level(level, at_least, policy)), next_level(level, at_most, policy))


def _reached(depth: int, policy: PressurePolicy) -> Level:
    thresholds = ((policy.hard, Level.HARD), (policy.shed, Level.SHED), (policy.warn, Level.WARN))
    return next((level for threshold, level in thresholds if depth >= threshold), Level.CALM)


def pauses_intake(level: Level, policy: PressurePolicy) -> bool:
    """Whether intake stands still: when deferring above shed, and in both modes above the hard limit."""
    return level is Level.HARD or (policy.defers and level is Level.SHED)


def allowance(backlog: Backlog, policy: PressurePolicy, share: float) -> int:
    """Alerts a worker may decide until it counts again: its share of the room before intake pauses.

    The rest is for the others, of whose alerts it learns only by counting. However little room is left, one may go.
    """
    room = (policy.shed if policy.defers else policy.hard) - backlog.counted_last
    return 0 if room <= 0 else max(1, int(share * room)) - backlog.unseen


def records_at_once(allowed: int) -> int:
    """The most records of one batch: if all raise alerts, it goes a `SMALLEST_PART` beyond the allowance at most."""
    return max(SMALLEST_PART, allowed)


def severity_cut(depth: int, policy: PressurePolicy) -> int | None:
    """Events of this severity and less severe ones are shed at this depth; None: nothing is.

    7 at the shed threshold, down in equal steps to just above the floor at twice that.
    """
    last = policy.floor + 1
    if depth < policy.shed or last > LEAST_SEVERE:
        return None
    steps = (depth - policy.shed) * (LEAST_SEVERE - last) // policy.shed
    return max(last, LEAST_SEVERE - steps)


_AS_SYSLOG = {
    AlertSeverity.CRITICAL: 2,
    AlertSeverity.MAJOR: 3,
    AlertSeverity.WARNING: 4,
    AlertSeverity.MINOR: 5,
    AlertSeverity.INFO: 7,
    AlertSeverity.CLEAR: 7,
}


def shed_severity(syslog: int | None, alert: AlertSeverity) -> int:
    """Severity 0-7 by which an event is shed: the worse of the event's own and what its rule makes of it."""
    ruled = _AS_SYSLOG[alert]
    return ruled if syslog is None else min(syslog, ruled)


class Backlog:
    """How many alerts wait, kept true between two counts: a count, plus what this worker decided since it was taken.

    Every `expect` ends in `committed` or `withdrawn`. A count is framed by `counting` and `counted`.
    """

    def __init__(self) -> None:
        self.counted_last = 0
        self._undecided = 0
        """Alerts expected whose commit is not known yet."""
        self._since = 0
        """Alerts committed after the last count began."""
        self._during = 0
        """Alerts committed after the count that runs now began."""
        self._perhaps_counted = 0
        """Alerts that the last count may have seen although they are added to it."""

    @property
    def depth(self) -> int:
        return self.counted_last + self.unseen

    @property
    def at_least(self) -> int:
        """What waited for certain at the last count, and what this worker decided since."""
        return self.depth - self._perhaps_counted

    @property
    def unseen(self) -> int:
        """What this worker decided and no count has seen for certain."""
        return self._since + self._undecided

    def expect(self, alerts: int) -> None:
        """A batch decided to raise so many."""
        self._undecided += alerts

    def committed(self, alerts: int) -> None:
        self._undecided -= alerts
        self._since += alerts
        self._during += alerts

    def withdrawn(self, alerts: int) -> None:
        """The batch was not committed, or nobody knows: a count will tell."""
        self._undecided -= alerts

    def counting(self) -> None:
        self._during = 0

    def counted(self, pending: int) -> None:
        """The count is there; what was committed while it ran may be in it or not, and is added to be safe."""
        self.counted_last = pending
        self._since = self._during
        self._perhaps_counted = self.unseen
