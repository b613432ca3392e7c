"""When an objective's budget burnt too fast: the rules of burning, applied to every step of a series."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    there = {point.at: point.indicator for point in points}
    return [
        Fired(rule, span)
        for rule in BURN_RULES
        if rule.short >= step
        for span in _joined(_firing(objective, rule, there, step, shown), step)
    ]


def _firing(
    objective: Objective, rule: BurnRule, there: dict[dt.datetime, Indicator], step: dt.timedelta, shown: Span
) -> Iterator[dt.datetime]:
    """Beginnings of steps at whose end the rule holds."""
    long, short = rule.long // step, rule.short // step
    steps = long + (shown.after - shown.first) // step
    grid = [there.get(shown.first + (at - long) * step, Indicator()) for at in range(steps)]
    sums = [Indicator()]
    for one in grid:
        sums.append(sums[-1] + one)
    for at in range(long, steps):
        rates = (burn_rate(objective, _between(sums, at + 1 - length, at + 1)) for length in (long, short))
        if Burn(rule, *rates).firing:
            yield shown.first + (at - long) * step


def _between(sums: Sequence[Indicator], begin: int, end: int) -> Indicator:
    return Indicator(sums[end].good - sums[begin].good, sums[end].total - sums[begin].total)


def _joined(steps: Iterator[dt.datetime], step: dt.timedelta) -> Iterator[Span]:
    begin = end = None
    for at in steps:
        if begin is not None and end is not None and at != end:
            yield Span(begin, end)
            begin = None
        begin, end = begin or at, at + step
    if begin is not None and end is not None:
        yield Span(begin, end)
