"""Service level objectives: what good and total over a window say about the error budget."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BurnState(StrEnum):
    """How fast the error budget is spent."""

    OK = "ok"
    """At most as fast as the window allows."""
    WARN = "warn"
    CRITICAL = "critical"
    """More than twice as fast as the window allows."""


WARN_ABOVE = 1.0
CRITICAL_ABOVE = 2.0


@dataclass(frozen=True, slots=True)
class Objective:
    """What share of a component's requests has to be good: `target` lies between 0 and 1, both excluded."""

    component: str
    """The name in the `sli` table."""
    target: float


INGESTOR = Objective("ingestor", 0.995)
FORWARDER = Objective("forwarder", 0.99)
OBJECTIVES: tuple[Objective, ...] = (INGESTOR, FORWARDER)


@dataclass(frozen=True, slots=True)
class Indicator:
    """What happened in a window, as sums of its minutes: ratios of minutes are never averaged."""

    good: int = 0
    total: int = 0

    @property
    def availability(self) -> float | None:
        """The share of good ones; None without traffic."""
        return self.good / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Budget:
    """Where one objective stands over a window."""

    availability: float | None
    burn_rate: float
    remaining: float
    """Share of the error budget that is left; negative when more than all of it is spent."""
    state: BurnState


def assess(objective: Objective, indicator: Indicator) -> Budget:
    """No traffic is no violation: nothing burnt, the whole budget left."""
    if not indicator.total:
        return Budget(None, 0.0, 1.0, BurnState.OK)
    failed = (indicator.total - indicator.good) / indicator.total
    # Rounded where binary fractions end: 5 of 1,000 at 0.995 is exactly the budget, not a hair above it.
    burn = round(failed / (1 - objective.target), 9)
    return Budget(indicator.availability, burn, round(1 - burn, 9), burn_state(burn))


def burn_state(burn_rate: float) -> BurnState:
    if burn_rate > CRITICAL_ABOVE:
        return BurnState.CRITICAL
    return BurnState.WARN if burn_rate > WARN_ABOVE else BurnState.OK
