"""Fakes of the ports of service levels, in memory."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import Outdated
from schemas.slo import Component, Objective
from streams.core.authors import Author
from streams.core.maintenance import Ending, checked, ending
from streams.core.slo import Indicator
from streams.core.slo_reads import Asked, Draft, Levels, Point, Sums
from streams.core.slo_windows import Maintenance


@dataclass
class FakeSlo:
    """Implements SloReads: the same sums over every window; `fault` is raised by every question."""

    sums: dict[Component, Indicator] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    declared: tuple[Maintenance, ...] = ()
    window: int = 24
    fault: Exception | None = None
    asked: list[Any] = field(default_factory=list)

    async def levels(self, asked: Asked, now: dt.datetime) -> Levels:
        self._ask(asked)
        sums = {name: dict.fromkeys(lengths, self.sums.get(name, Indicator())) for name, lengths in asked.items()}
        return Levels(sums, self.declared)

    async def series(self, component: Component, start: dt.datetime, step: dt.timedelta) -> Sequence[Point]:
        self._ask((component, start, step))
        return [point for point in self.points if point.at >= start]

    async def maintenance(self, since: dt.datetime) -> tuple[Maintenance, ...]:
        return self.declared

    async def slo_window_hours(self) -> int:
        return self.window

    def _ask(self, question: Any) -> None:
        self.asked.append(question)
        if self.fault is not None:
            raise self.fault


class FakeMaintenance:
    """Implements MaintenanceStore."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now
        self.windows: dict[int, Maintenance] = {}
        self.authors: list[Author] = []

    async def since(self, since: dt.datetime) -> tuple[Maintenance, ...]:
        found = [each for each in self.windows.values() if each.ends_at > since]
        return tuple(sorted(found, key=lambda each: (each.starts_at, each.id), reverse=True))

    async def find(self, id: int) -> Maintenance | None:
        return self.windows.get(id)

    async def declare(self, draft: Draft, author: Author) -> Maintenance:
        checked(draft)
        self.authors.append(author)
        number = len(self.windows) + 1
        self.windows[number] = Maintenance(
            number, draft.component, draft.starts_at, draft.ends_at, draft.reason, author.actor, self.now, 1
        )
        return self.windows[number]

    async def end(self, id: int, now: dt.datetime, author: Author, *, version: int | None = None) -> Maintenance | None:
        found = self.windows.get(id)
        if found is None:
            return None
        if version is not None and version != found.version:
            raise Outdated("changed meanwhile")
        if ending(found, now) is Ending.TAKEN_BACK:
            return self.windows.pop(id)
        self.windows[id] = dataclasses.replace(found, ends_at=now, version=found.version + 1)
        return self.windows[id]


@dataclass
class FakePrometheus:
    """Implements PrometheusReads."""

    sums: dict[Component, Indicator] = field(default_factory=dict)
    fault: Exception | None = None
    asked: int = 0

    async def levels(self, wanted: Mapping[Objective, Sequence[dt.timedelta]]) -> Mapping[Component, Sums]:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return {
            objective.component: dict.fromkeys(lengths, self.sums.get(objective.component, Indicator()))
            for objective, lengths in wanted.items()
        }
