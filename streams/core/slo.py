"""Service level objectives: what good and total over windows say about the error budget, and how fast it burns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from schemas.slo import Objective


class BurnState(StrEnum):
    """How fast the error budget is spent."""

    OK = "ok"
    """At most as fast as the window allows."""
    WARN = "warn"
    CRITICAL = "critical"
    """More than twice as fast as the window allows."""
    NO_DATA = "no_data"
    """Nothing happened, so nothing was violated. v1 has no word for it and says ok."""


WARN_ABOVE = 1.0
CRITICAL_ABOVE = 2.0


@dataclass(frozen=True, slots=True)
class Indicator:
    """What happened in a window, as sums of its minutes: ratios of minutes are never averaged."""

    good: float = 0
    total: float = 0

    def __add__(self, other: Indicator) -> Indicator:
        return Indicator(self.good + other.good, self.total + other.total)

    @property
    def availability(self) -> float | None:
        """The share of good ones; None without traffic."""
        return min(1.0, self.good / self.total) if self.total > 0 else None


@dataclass(frozen=True, slots=True)
class Budget:
    """Where one objective stands over a window."""

    availability: float | None
    burn_rate: float
    remaining: float
    """Share of the error budget that is left; negative when more than all of it is spent."""
    state: BurnState


@dataclass(frozen=True, slots=True)
class BurnRule:
    """Burning too fast: above the rate over the long window, and still so over the short one."""

    long: dt.timedelta
    short: dt.timedelta
    above: float
    severity: str


def _rule(long: str, short: str, above: float, severity: str) -> BurnRule:
    return BurnRule(duration(long), duration(short), above, severity)


def duration(text: str) -> dt.timedelta:
    """`5m`, `6h` or `3d`."""
    unit = {"m": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1), "d": dt.timedelta(days=1)}[text[-1]]
    return int(text[:-1]) * unit


def shown_duration(length: dt.timedelta) -> str:
    """The other way round, in the largest unit that is whole: 1d, 36h, 30m."""
    minutes = round(length.total_seconds() / 60)
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


BURN_RULES: tuple[BurnRule, ...] = (
    _rule("1h", "5m", 14.4, "page"),
    _rule("6h", "30m", 6, "page"),
    _rule("1d", "2h", 3, "ticket"),
    _rule("3d", "6h", 1, "ticket"),
)
PACE = BURN_RULES[0].long
"""How long the burning is looked at that says when the budget ends."""


@dataclass(frozen=True, slots=True)
class Burn:
    """One rule on one objective. A rate is None where its window has no data."""

    rule: BurnRule
    long: float | None
    short: float | None

    @property
    def firing(self) -> bool:
        return min(self.long or 0.0, self.short or 0.0) > self.rule.above


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything there is to say of one objective."""

    objective: Objective
    indicator: Indicator
    budget: Budget
    burns: tuple[Burn, ...]
    exhausted_in: dt.timedelta | None
    """Until the budget is spent at the pace of the last hour; None while it does not run out."""


def windows_of(objective: Objective) -> tuple[dt.timedelta, ...]:
    """Every window that `stand` wants to know of."""
    lengths = {length for rule in BURN_RULES for length in (rule.long, rule.short)}
    return tuple(sorted(lengths | {objective.window}))


def assess(objective: Objective, indicator: Indicator) -> Budget:
    """No traffic is no violation: nothing burnt, the whole budget left."""
    availability = indicator.availability
    if availability is None:
        return Budget(None, 0.0, 1.0, BurnState.NO_DATA)
    failed = max(0.0, (indicator.total - indicator.good) / indicator.total)
    # Rounded where binary fractions end: 5 of 1,000 at 0.995 is exactly the budget, not a hair above it.
    burn = round(failed / (1 - objective.target), 9)
    return Budget(availability, burn, round(1 - burn, 9), burn_state(burn))


def burn_state(burn_rate: float) -> BurnState:
    if burn_rate > CRITICAL_ABOVE:
        return BurnState.CRITICAL
    return BurnState.WARN if burn_rate > WARN_ABOVE else BurnState.OK


def burn_rate(objective: Objective, indicator: Indicator) -> float | None:
    """None without data."""
    budget = assess(objective, indicator)
    return None if budget.state is BurnState.NO_DATA else budget.burn_rate


def stand(objective: Objective, sums: Mapping[dt.timedelta, Indicator]) -> Standing:
    """`sums` by length of window; a window that is not there has no data."""

    def rate(length: dt.timedelta) -> float | None:
        return burn_rate(objective, sums.get(length, Indicator()))

    indicator = sums.get(objective.window, Indicator())
    budget = assess(objective, indicator)
    burns = tuple(Burn(rule, rate(rule.long), rate(rule.short)) for rule in BURN_RULES)
    return Standing(objective, indicator, budget, burns, exhausted_in(objective, budget, rate(PACE)))


def exhausted_in(objective: Objective, budget: Budget, pace: float | None) -> dt.timedelta | None:
    """At a pace of at most 1 the window forgets as fast as it burns: the budget does not run out."""
    if budget.remaining <= 0.0:
        return dt.timedelta(0)
    if pace is None or pace <= WARN_ABOVE:
        return None
    return objective.window * (budget.remaining / pace)
