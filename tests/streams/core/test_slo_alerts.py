"""Times of alerts in a series: where both windows of a rule burned too fast, and nowhere else."""

from __future__ import annotations

import datetime as dt

from schemas.slo import Component, objectives
from streams.core.slo import BURN_RULES, Indicator
from streams.core.slo_alerts import LOOKS_BACK, fired
from streams.core.slo_reads import Point
from streams.core.slo_windows import HOUR, MINUTE, Span

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
STEP = 5 * MINUTE
SHOWN = Span(NOON, NOON + 24 * HOUR)


def series(*bad: Span) -> list[Point]:
    """Traffic in every step; within these spans nothing is good."""
    steps = range((LOOKS_BACK + 24 * HOUR) // STEP)
    times = [NOON - LOOKS_BACK + at * STEP for at in steps]
    return [Point(at, Indicator(0 if any(one.first <= at < one.after for one in bad) else 100, 100)) for at in times]


def found(*bad: Span) -> dict[dt.timedelta, list[Span]]:
    (objective,) = [one for one in objectives().values() if one.component is Component.INGESTOR]
    times: dict[dt.timedelta, list[Span]] = {}
    for one in fired(objective, series(*bad), STEP, SHOWN):
        times.setdefault(one.rule.long, []).append(one.span)
    return times


def test_nothing_burns_nothing_fires() -> None:
    assert found() == {}


def test_a_rule_fires_while_both_its_windows_burn_and_ends_with_the_short_one() -> None:
    outage = Span(NOON + 6 * HOUR, NOON + 8 * HOUR)
    (span,) = found(outage)[BURN_RULES[0].long]
    assert outage.first <= span.first < outage.first + HOUR
    assert span.after == outage.after
    assert set(found(outage)) == {rule.long for rule in BURN_RULES}


def test_two_outages_are_two_alerts() -> None:
    first, second = Span(NOON + 2 * HOUR, NOON + 4 * HOUR), Span(NOON + 9 * HOUR, NOON + 11 * HOUR)
    spans = found(first, second)[BURN_RULES[0].long]
    assert [span.after for span in spans] == [first.after, second.after]
    assert spans[0].after < second.first <= spans[1].first


def test_what_lies_before_is_judged_by_but_not_shown() -> None:
    times = found(Span(NOON - HOUR, NOON + STEP))
    assert all(one.first >= NOON for spans in times.values() for one in spans)
    assert times[BURN_RULES[0].long] == [Span(NOON, NOON + STEP)]


def test_steps_longer_than_a_short_window_do_not_judge_its_rule() -> None:
    (objective,) = [one for one in objectives().values() if one.component is Component.INGESTOR]
    hourly = [Point(NOON - LOOKS_BACK + at * HOUR, Indicator(0, 100)) for at in range((LOOKS_BACK + 24 * HOUR) // HOUR)]
    assert {one.rule.short for one in fired(objective, hourly, HOUR, SHOWN)} == {2 * HOUR, 6 * HOUR}
