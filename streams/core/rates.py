"""Events a minute: the last whole minute, means over longer stretches, and the course of a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from streams.core.slo_windows import HOUR, MINUTE, down

SHOWN_HOURS = 24


@dataclass(frozen=True, slots=True)
class Hour:
    """The mean of one hour of UTC; of the hour that runs, so far."""

    at: dt.datetime
    a_minute: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Empty minutes count as 0. Two decimals."""

    current_1m: float
    mean_15m: float
    mean_1h: float
    day: tuple[Hour, ...]
    """The last 24 hours of UTC, the oldest first; the last one runs."""


def day_starts(now: dt.datetime) -> dt.datetime:
    """The first hour that is shown."""
    return down(now, HOUR) - (SHOWN_HOURS - 1) * HOUR


def rates(minutes: Mapping[dt.datetime, float], hours: Mapping[dt.datetime, float], now: dt.datetime) -> Rates:
    """From totals by minute (of the last hour at least) and by hour (from `day_starts` on)."""
    running = down(now, MINUTE)

    def mean(length: int) -> float:
        return round(sum(minutes.get(running - back * MINUTE, 0.0) for back in range(1, length + 1)) / length, 2)

    first, last = day_starts(now), down(now, HOUR)
    elapsed = max(1, (running - last) // MINUTE)
    day = tuple(
        Hour(at, round(hours.get(at, 0.0) / (elapsed if at == last else 60), 2))
        for at in (first + number * HOUR for number in range(SHOWN_HOURS))
    )
    return Rates(mean(1), mean(15), mean(60), day)
