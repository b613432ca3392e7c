"""Windows of minutes: bounds, maintenance left out, clocks that differ; and sums, however they are read."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.slo import Component
from streams.core.slo import Indicator
from streams.core.slo_windows import (
    AHEAD,
    DAY,
    HOUR,
    MINUTE,
    QUARTER,
    Maintenance,
    Span,
    cut,
    down,
    holes,
    pieces,
    total_of,
    up,
    window,
)

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def at(minutes: float) -> dt.datetime:
    return NOON + dt.timedelta(minutes=minutes)


def maintenance(starts: float, ends: float, component: Component | None = None) -> Maintenance:
    return Maintenance(1, component, at(starts), at(ends), "upgrade", "ann", NOON, 1)


def minutes_of(span: Span) -> set[dt.datetime]:
    return {span.first + number * MINUTE for number in range(int((span.after - span.first) / MINUTE))}


@pytest.mark.parametrize(
    ("now", "length", "first"),
    [(0, 60, -60), (0.5, 60, -60), (0.999, 5, -5), (1, 5, -4), (0.25, 0.5, -1)],
)
def test_a_window_has_the_minutes_that_hold_its_bounds(now: float, length: float, first: float) -> None:
    found = window(at(now), dt.timedelta(minutes=length))
    assert found.first == at(first)
    assert found.after == down(at(now), MINUTE) + MINUTE + AHEAD


@pytest.mark.parametrize(("ahead", "counts"), [(0, True), (5, True), (6, False), (60 * 24, False)])
def test_minutes_ahead_count_as_now_when_clocks_merely_differ(ahead: float, counts: bool) -> None:
    found = window(at(0.5), HOUR)
    assert (Span(at(ahead), at(ahead + 1)) in found) is counts


@pytest.mark.parametrize(
    ("step", "moment", "before", "after"),
    [(MINUTE, 0.5, 0, 1), (MINUTE, 1, 1, 1), (HOUR, -1, -60, 0), (HOUR, 0, 0, 0), (DAY, 0, -720, 720)],
)
def test_multiples_of_a_step(step: dt.timedelta, moment: float, before: float, after: float) -> None:
    assert (down(at(moment), step), up(at(moment), step)) == (at(before), at(after))


def test_steps_are_those_of_utc_whatever_the_zone() -> None:
    half = dt.timezone(dt.timedelta(hours=5, minutes=30))
    assert down(at(20).astimezone(half), HOUR) == NOON


def test_maintenance_leaves_out_every_minute_it_touches() -> None:
    assert maintenance(0.5, 2.5).span == Span(at(0), at(3))
    assert maintenance(1, 2).span == Span(at(1), at(2))


def test_maintenance_is_a_components_or_everybodys() -> None:
    declared = [maintenance(10, 20, Component.AUDIT), maintenance(0, 5), maintenance(5, 12), maintenance(30, 31)]
    assert holes(declared, Component.AUDIT) == (Span(at(0), at(20)), Span(at(30), at(31)))
    assert holes(declared, Component.API) == (Span(at(0), at(12)), Span(at(30), at(31)))


moments = st.integers(-5000, 60).map(float)
lengths = st.integers(1, 4000).map(lambda number: dt.timedelta(minutes=number))
declared = st.lists(st.tuples(moments, st.integers(1, 600)).map(lambda m: maintenance(m[0], m[0] + m[1])), max_size=4)


@given(st.lists(lengths, min_size=1, max_size=6), declared)
def test_what_windows_are_cut_into_adds_up_to_them_without_maintenance(
    asked: list[dt.timedelta], declared: list[Maintenance]
) -> None:
    windows = [window(NOON, length) for length in asked]
    left_out = {minute for each in declared for minute in minutes_of(each.span)}
    spans = cut(windows, holes(declared, Component.API))
    assert list(spans) == sorted(spans)
    counted = [minute for span in spans for minute in minutes_of(span)]
    assert len(counted) == len(set(counted))
    sums = {span: Indicator(len(minutes_of(span)), len(minutes_of(span))) for span in spans}
    for each in windows:
        wanted = len(minutes_of(each) - left_out)
        assert total_of(each, sums) == Indicator(wanted, wanted)


@given(moments, st.integers(1, 5000))
def test_pieces_are_the_span_and_whole_steps(first: float, length: int) -> None:
    span = Span(at(first), at(first + length))
    found = list(pieces(span))
    counted = [minute for _, piece in found for minute in minutes_of(piece)]
    assert sorted(counted) == sorted(minutes_of(span))
    for step, piece in found:
        assert (down(piece.first, step), down(piece.after, step)) == (piece.first, piece.after)
    for step, longest in ((MINUTE, 2 * QUARTER), (QUARTER, 2 * HOUR), (HOUR, 2 * DAY)):
        assert sum((piece.after - piece.first for each, piece in found if each is step), dt.timedelta()) < longest
