"""Thresholds of backpressure so low that the outage crosses them, whatever the traffic."""

from __future__ import annotations

from dataclasses import dataclass

FLOOR = 2
"""`alerter_shed_severity_floor` of the demonstration: critical and worse is never shed."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Numbers of alerts that wait."""

    warn: int
    shed: int
    hard: int

    @property
    def as_config(self) -> dict[str, str | None]:
        return {
            "alerter_queue_warn_threshold": str(self.warn),
            "alerter_queue_shed_threshold": str(self.shed),
            "alerter_queue_hard_limit": str(self.hard),
        }


ROOMY = Thresholds(50_000, 100_000, 200_000)
"""Nothing is held back or shed, however much the demonstration is told to send."""


def thresholds(alerts: float) -> Thresholds:
    """Thresholds for an outage in which so many alerts are expected.

    Shedding begins after a sixth of it and takes everything above the floor after a third.
    """
    warn = max(1, round(alerts / 12))
    shed = max(warn + 1, round(alerts / 6))
    return Thresholds(warn, shed, 10 * shed)
