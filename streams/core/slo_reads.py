"""What is asked about service levels, and the ports it is asked through."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.slo import Component, Objective
from streams.core.authors import Author
from streams.core.slo import Indicator
from streams.core.slo_windows import Maintenance

Sums = Mapping[dt.timedelta, Indicator]
"""By length of the window, all of them ending now."""
Asked = Mapping[Component, Sequence[dt.timedelta]]
"""Windows by component."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What the tables say. Minutes of declared maintenance are not in the sums."""

    sums: Mapping[Component, Sums]
    maintenance: tuple[Maintenance, ...]
    """What touches the longest window that was asked for, newest first."""


@dataclass(frozen=True, slots=True)
class Point:
    """What happened in one step of time; empty steps are left out."""

    at: dt.datetime
    indicator: Indicator


class SloReads(Protocol):
    """The SLI table. Every method answers within seconds or raises StoreUnavailable; the caller does not retry."""

    async def levels(self, asked: Asked, now: dt.datetime) -> Levels:
        """Sums over windows that end at `now`."""

    async def series(self, component: Component, start: dt.datetime, step: dt.timedelta) -> Sequence[Point]:
        """From `start` on, oldest first. Steps are multiples of a minute and divide an hour or are hours."""

    async def maintenance(self, since: dt.datetime) -> tuple[Maintenance, ...]:
        """Windows that end after `since`, those that start last first."""

    async def slo_window_hours(self) -> int:
        """The window in hours where the caller names none: the dynamic key of that name, or its default."""


class MaintenanceStore(Protocol):
    """Declares and ends maintenance. Raises StoreUnavailable; nothing is written then, as far as is known."""

    async def since(self, since: dt.datetime) -> tuple[Maintenance, ...]:
        """Windows that end after `since`, those that start last first."""

    async def find(self, id: int) -> Maintenance | None: ...

    async def declare(self, draft: Draft, author: Author) -> Maintenance:
        """Raises MaintenanceRefused."""

    async def end(self, id: int, now: dt.datetime, author: Author, *, version: int | None = None) -> Maintenance | None:
        """Ends a window now; one that has not begun is taken back. None where there is none of that id.

        Raises MaintenanceRefused when it is over, Outdated when its version is another one.
        """


class PrometheusReads(Protocol):
    """Prometheus as the source. Raises PrometheusUnavailable; the caller does not retry."""

    async def levels(self, wanted: Mapping[Objective, Sequence[dt.timedelta]]) -> Mapping[Component, Sums]:
        """Sums over windows that end now, as Prometheus extrapolates them; maintenance is not left out."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A maintenance window as somebody wants it; `declaration` checks it."""

    component: Component | None
    starts_at: dt.datetime
    ends_at: dt.datetime
    reason: str
