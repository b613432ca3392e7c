"""Which minutes a window holds: its bounds, what maintenance leaves out, and how few rows it takes to add it up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from schemas.slo import Component
from streams.core.slo import Indicator

MINUTE = dt.timedelta(minutes=1)
QUARTER = dt.timedelta(minutes=15)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
AHEAD = 5 * MINUTE
"""Minutes so far in the future count as now: clocks of workers differ. What is further ahead waits for its time."""

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Whole minutes, the first included, the one at `after` not."""

    first: dt.datetime
    after: dt.datetime

    def __contains__(self, other: Span) -> bool:
        return self.first <= other.first and other.after <= self.after

    def touches(self, other: Span) -> bool:
        return self.first < other.after and other.first < self.after


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Time in which failures do not count: declared by somebody, for a reason, and shown."""

    id: int
    component: Component | None
    """None: all of them."""
    starts_at: dt.datetime
    ends_at: dt.datetime
    reason: str
    declared_by: str
    declared_at: dt.datetime
    version: int

    @property
    def span(self) -> Span:
        """Every minute it touches: what is not wholly outside is left out."""
        return Span(down(self.starts_at, MINUTE), up(self.ends_at, MINUTE))

    def covers(self, component: Component) -> bool:
        return self.component is None or self.component is component


def down(moment: dt.datetime, step: dt.timedelta) -> dt.datetime:
    """The last multiple of `step` in UTC that is not later."""
    return moment - (moment - EPOCH) % step


def up(moment: dt.datetime, step: dt.timedelta) -> dt.datetime:
    """The first multiple of `step` in UTC that is not earlier."""
    return moment + (EPOCH - moment) % step


def window(now: dt.datetime, length: dt.timedelta) -> Span:
    """The minutes of the last `length`: the one it starts in and the one that runs now are part of it."""
    return Span(down(now - length, MINUTE), down(now, MINUTE) + MINUTE + AHEAD)


def holes(maintenance: Iterable[Maintenance], component: Component) -> tuple[Span, ...]:
    """What a component's maintenance leaves out, in order and disjoint."""
    merged: list[Span] = []
    for span in sorted(each.span for each in maintenance if each.covers(component)):
        if merged and span.first <= merged[-1].after:
            merged[-1] = Span(merged[-1].first, max(merged[-1].after, span.after))
        else:
            merged.append(span)
    return tuple(merged)


def cut(windows: Iterable[Span], without: Sequence[Span]) -> tuple[Span, ...]:
    """Disjoint spans of which every window is made, so that no row is read twice; `without` as `holes` gives it."""
    marks = sorted({mark for each in windows for mark in (each.first, each.after)})
    return tuple(piece for first, after in pairwise(marks) for piece in _around(Span(first, after), without))


def _around(span: Span, without: Sequence[Span]) -> Iterator[Span]:
    first = span.first
    for hole in without:
        if hole.touches(span):
            if first < hole.first:
                yield Span(first, hole.first)
            first = max(first, hole.after)
    if first < span.after:
        yield Span(first, span.after)


STEPS = (DAY, HOUR, QUARTER, MINUTE)
"""What sums are kept of, the coarsest first; the minutes are what they are made of."""


def pieces(span: Span, steps: Sequence[dt.timedelta] = STEPS) -> Iterator[tuple[dt.timedelta, Span]]:
    """The span as whole days, hours and quarters, which are summed up already, and the minutes around them."""
    step, *finer = steps
    head = min(up(span.first, step), span.after)
    tail = max(down(span.after, step), head)
    if head < tail:
        yield step, Span(head, tail)
    for rest in (Span(span.first, head), Span(tail, span.after)):
        if finer and rest.first < rest.after:
            yield from pieces(rest, finer)


def total_of(whole: Span, sums: Mapping[Span, Indicator]) -> Indicator:
    """What a window comes to, from the spans it was cut into."""
    return sum((indicator for span, indicator in sums.items() if span in whole), Indicator())
