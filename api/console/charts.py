"""Charts: figures over time as lines and bands of a picture that the server draws."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDE, HIGH = 600, 80
LOWEST_TOP = 2.0
"""Burn rate at the top of a chart in which nothing burns faster: twice what the budget stands."""


@dataclass(frozen=True, slots=True)
class Band:
    """A time of its own kind, and what it is."""

    kind: str
    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture, WIDE by HIGH."""

    lines: Sequence[str]
    """Points of each; where nothing was measured there is no line."""
    top: float
    limit: float | None = None
    """Height of the line that should not be crossed."""
    bands: Sequence[Band] = ()
    wide: int = WIDE
    high: int = HIGH


def burn_chart(series: Mapping[str, Any]) -> Chart:
    """Of the answer of /api/v2/slo/{objective}/burn."""
    axis = _Axis(_at(series["since"]), _at(series["until"]))
    known = [(_at(one["at"]), one["burn_rate"]) for one in series["points"] if one["burn_rate"] is not None]
    top = max([LOWEST_TOP, *(rate for _, rate in known)])
    lines = _lines(axis, known, top, dt.timedelta(seconds=1.5 * series["step_seconds"]))
    bands = [
        *(axis.band("maintenance", one["starts_at"], one["ends_at"], one["reason"]) for one in series["maintenance"]),
        *(
            axis.band("firing", one["since"], one["until"], f"{one['severity']}: {one['long_window']}")
            for one in series["alerts"]
        ),
    ]
    return Chart(lines, top, HIGH - HIGH / top, [band for band in bands if band.width > 0])


def trend(points: Sequence[Mapping[str, Any]]) -> Chart:
    """Counts over time, from the first to the last."""
    known = [(_at(one["at"]), one["records"]) for one in points]
    top = max([1.0, *(records for _, records in known)])
    if len(known) < 2:
        return Chart([], top)
    return Chart(_lines(_Axis(known[0][0], known[-1][0]), known, top, dt.timedelta(minutes=5)), top)


class _Axis:
    def __init__(self, since: dt.datetime, until: dt.datetime) -> None:
        self._since = since
        self._length = max(until - since, dt.timedelta(seconds=1))

    def x(self, at: dt.datetime) -> float:
        return round(min(1.0, max(0.0, (at - self._since) / self._length)) * WIDE, 1)

    def band(self, kind: str, since: str, until: str, title: str) -> Band:
        x = self.x(_at(since))
        return Band(kind, x, round(self.x(_at(until)) - x, 1), title)


def _lines(axis: _Axis, known: Sequence[tuple[dt.datetime, float]], top: float, gap: dt.timedelta) -> list[str]:
    lines: list[list[str]] = []
    last = None
    for at, value in known:
        if last is None or at - last > gap:
            lines.append([])
        lines[-1].append(f"{axis.x(at)},{HIGH - HIGH * value / top:.1f}")
        last = at
    return [" ".join(_drawn(line)) for line in lines]


def _drawn(line: list[str]) -> list[str]:
    """A single point would not be seen."""
    if len(line) > 1:
        return line
    x, y = line[0].split(",")
    return [line[0], f"{float(x) + 2:.1f},{y}"]


def _at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
