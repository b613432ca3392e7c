"""Events a minute, as the console and the API show them."""

from __future__ import annotations

import datetime as dt

import pytest

from streams.core.rates import day_starts, rates
from streams.core.slo_windows import HOUR, MINUTE

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
NOW = NOON + dt.timedelta(minutes=20, seconds=30)
"""The minute 12:20 runs."""


def minute(number: int) -> dt.datetime:
    return NOON + number * MINUTE


def test_the_minute_that_runs_does_not_count_yet() -> None:
    found = rates({minute(20): 900.0, minute(19): 30.0}, {}, NOW)
    assert (found.current_1m, found.mean_15m, found.mean_1h) == (30.0, 2.0, 0.5)


def test_means_are_over_whole_stretches_with_empty_minutes_as_nothing() -> None:
    found = rates({minute(5): 15.0, minute(4): 15.0, minute(-40): 30.0, minute(-41): 600.0}, {}, NOW)
    assert found.current_1m == 0.0
    assert found.mean_15m == 1.0  # 12:05 to 12:19
    assert found.mean_1h == 1.0  # 11:20 to 12:19


def test_a_day_has_24_hours_and_the_last_one_runs() -> None:
    first = day_starts(NOW)
    found = rates({}, {first: 600.0, NOON - HOUR: 60.0, NOON: 60.0, first - HOUR: 6000.0}, NOW).day
    assert len(found) == 24
    assert (found[0].at, found[0].a_minute) == (NOON - 23 * HOUR, 10.0)
    assert (found[-2].at, found[-2].a_minute) == (NOON - HOUR, 1.0)
    assert (found[-1].at, found[-1].a_minute) == (NOON, 3.0)
    assert sum(hour.a_minute for hour in found) == 14.0


@pytest.mark.parametrize("seconds", [0, 59])
def test_an_hour_that_has_just_begun_is_as_a_minute_old(seconds: int) -> None:
    found = rates({}, {NOON: 5.0}, NOON + dt.timedelta(seconds=seconds))
    assert found.day[-1].a_minute == 5.0


def test_two_decimals() -> None:
    assert rates({minute(19): 1.0}, {NOON - HOUR: 1.0}, NOW).mean_15m == 0.07
    assert rates({}, {NOON - HOUR: 1.0}, NOW).day[-2].a_minute == 0.02
