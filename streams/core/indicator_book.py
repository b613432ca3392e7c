"""Minutes of indicators that wait to be written: added up in memory, bounded, and put back where a write fails."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

from schemas.slo import Component
from streams.core.slo_windows import MINUTE, down

MOST = 24 * 60
"""Minutes that are held, over all components; while nothing can be written the oldest go first."""


class IndicatorRow(NamedTuple):
    """What is added to one minute of a component."""

    component: Component
    minute: dt.datetime
    good: int
    total: int


class IndicatorBook:
    """Counts of one process."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._counts: dict[tuple[dt.datetime, Component], tuple[int, int]] = {}
        self.dropped = 0
        """Occurrences that were given up for want of room."""

    def count(self, component: Component, now: dt.datetime, *, good: int, total: int) -> None:
        self._add(IndicatorRow(component, down(now, MINUTE), good, total))

    def drain(self) -> list[IndicatorRow]:
        """All that waits, in one order for everybody who writes; it waits no more."""
        rows = [IndicatorRow(component, minute, *counts) for (minute, component), counts in self._counts.items()]
        self._counts.clear()
        return sorted(rows)

    def put_back(self, rows: Iterable[IndicatorRow]) -> None:
        """What could not be written."""
        for row in rows:
            self._add(row)

    def _add(self, row: IndicatorRow) -> None:
        key = (row.minute, row.component)
        good, total = self._counts.get(key, (0, 0))
        self._counts[key] = (good + row.good, total + row.total)
        if len(self._counts) > self._most:
            _, lost = self._counts.pop(min(self._counts))
            self.dropped += lost
