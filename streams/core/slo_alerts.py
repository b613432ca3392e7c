"""When an objective's budget burnt too fast: the rules of burning, applied to every step of a series."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from schemas.slo import Objective
from streams.core.slo import BURN_RULES, Burn, BurnRule, Indicator, burn_rate
from streams.core.slo_reads import Point
from streams.core.slo_windows import Span

LOOKS_BACK = max(rule.long for rule in BURN_RULES)
"""How much of a series must lie before what is asked about."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that held from one moment to another."""

    rule: BurnRule
    span: Span


def fired(objective: Objective, points: Sequence[Point], step: dt.timedelta, shown: Span) -> list[Fired]:
    """Within `shown`; a rule whose short window is shorter than a step is not judged.

    `points` begin LOOKS_BACK earlier, and lie on a grid of `step` with that of `shown`.
    """
    sums = _Sums.over(points, step, shown)
    return [
        Fired(rule, span)
        for rule in BURN_RULES
        if rule.short >= step
        for span in _joined(_firing(objective, rule, sums, step, shown), step)
    ]


@dataclass(frozen=True, slots=True)
class _Sums:
    """What happened from LOOKS_BACK before what is shown up to each step, so that a window is a difference."""

    good: list[float]
    total: list[float]

    @classmethod
    def over(cls, points: Sequence[Point], step: dt.timedelta, shown: Span) -> _Sums:
        begin, steps = shown.first - LOOKS_BACK, (LOOKS_BACK + shown.after - shown.first) // step
        good, total = [0.0] * (steps + 1), [0.0] * (steps + 1)
        for point in points:
            end = (point.at - begin) // step + 1
            if 0 < end <= steps:
                good[end], total[end] = point.indicator.good, point.indicator.total
        return cls(list(accumulate(good)), list(accumulate(total)))

    def is_good(self, end: int, steps: int) -> bool:
        """Whether nothing was bad in the window of so many steps that ends there."""
        return self.good[end] - self.good[end - steps] >= self.total[end] - self.total[end - steps]

    def before(self, end: int, steps: int) -> Indicator:
        """The window of so many steps that ends there."""
        return Indicator(self.good[end] - self.good[end - steps], self.total[end] - self.total[end - steps])


def _firing(
    objective: Objective, rule: BurnRule, sums: _Sums, step: dt.timedelta, shown: Span
) -> Iterator[dt.datetime]:
    """Beginnings of steps at whose end the rule holds."""
    first, lengths = LOOKS_BACK // step, (rule.long // step, rule.short // step)
    for at in range((shown.after - shown.first) // step):
        end = first + at + 1
        if sums.is_good(end, lengths[1]):
            continue  # as almost always
        if Burn(rule, *(burn_rate(objective, sums.before(end, length)) for length in lengths)).firing:
            yield shown.first + at * step


def _joined(steps: Iterator[dt.datetime], step: dt.timedelta) -> Iterator[Span]:
    begin = end = None
    for at in steps:
        if begin is not None and end is not None and at != end:
            yield Span(begin, end)
            begin = None
        begin, end = begin or at, at + step
    if begin is not None and end is not None:
        yield Span(begin, end)
