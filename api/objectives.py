"""GET /api/v2/slo and /api/v2/slo/{objective}/burn: every objective, from the SLI table or from Prometheus."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api.gate import Now
from api.maintenance import Window, shown_window
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.prometheus_source import PrometheusSource
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from api.slo import HOURS, LONGEST_WINDOW
from schemas.scopes import Scope
from schemas.slo import Component, Objective, Objectives
from streams.core.slo import BurnState, Standing, burn_rate, shown_duration, stand, windows_of
from streams.core.slo_alerts import LOOKS_BACK, fired
from streams.core.slo_reads import Levels, Point, SloReads
from streams.core.slo_windows import MINUTE, Maintenance, Span, down

STEPS = ((24, 5 * MINUTE), (168, 60 * MINUTE), (LONGEST_WINDOW, 360 * MINUTE))
"""Up to so many hours a series has steps of this length: at most 288 points."""


class Source(StrEnum):
    """Where the figures come from."""

    DATABASE = "database"
    PROMETHEUS = "prometheus"


class BurnRate(Struct, frozen=True):
    """Too fast when both windows burn faster than `above`. A rate is null where its window has no data."""

    long_window: str
    short_window: str
    above: float
    severity: str
    long: float | None
    short: float | None
    firing: bool


class ObjectiveStanding(Struct, frozen=True):
    """One objective, and how far it is kept over its window."""

    name: str
    title: str
    description: str
    component: Component
    target: float
    window: str
    good: float
    total: float
    availability: float | None
    error_budget_remaining: float
    burn_rate: float
    state: BurnState
    exhausted_in_seconds: float | None
    """At the pace of the last hour; null while the budget does not run out."""
    burn_rates: list[BurnRate]
    maintenance: list[Window]
    """What was declared for it within its window."""


class ObjectiveStandings(Struct, frozen=True):
    source: Source
    as_of: dt.datetime
    maintenance_excluded: bool
    """Prometheus knows of no maintenance: there, what happened meanwhile counts."""
    items: list[ObjectiveStanding]


class BurnPoint(Struct, frozen=True):
    """What happened in one step; steps without traffic are left out."""

    at: dt.datetime
    good: float
    total: float
    burn_rate: float | None
    maintenance: bool
    """Declared maintenance touches this step, so that the objective does not count all of it."""


class BurnAlert(Struct, frozen=True):
    """A time in which both windows of a rule burned faster than it allows."""

    severity: str
    long_window: str
    short_window: str
    since: dt.datetime
    until: dt.datetime


class BurnSeries(Struct, frozen=True, kw_only=True):
    objective: str
    hours: int
    step_seconds: int
    since: dt.datetime
    until: dt.datetime
    points: list[BurnPoint]
    alerts: list[BurnAlert]
    """Of the rules whose short window is no shorter than a step."""
    maintenance: list[Window]


class ObjectiveLevels:
    """All objectives over all their windows."""

    def __init__(
        self, reads: SloReads, prometheus: PrometheusSource, objectives: Objectives, metrics: ApiMetrics, now: Now
    ) -> None:
        self._reads = reads
        self._prometheus = prometheus
        self._objectives = objectives
        self._by_name = {objective.name: objective for objective in objectives.values()}
        self._metrics = metrics
        self._now = now

    def routes(self) -> tuple[ApiRoute, ...]:
        source = Parameter("source", "Where the figures come from; the database if not said.", Source)
        hours = Parameter("hours", "Hours that are shown, up to now; 24 if not said.", HOURS, example=24)
        levels = ApiRoute(
            method="GET",
            path="/api/v2/slo",
            endpoint=self.get,
            scope=Scope.EVENTS_READ,
            summary="Every objective: budget, burn rates over several windows, time left, maintenance",
            query=(source,),
            answer=ObjectiveStandings,
            errors=(409, 502, 504),
        )
        burn = ApiRoute(
            method="GET",
            path="/api/v2/slo/{objective}/burn",
            endpoint=self.burn,
            scope=Scope.EVENTS_READ,
            summary="The burn rate of one objective over time",
            query=(hours,),
            answer=BurnSeries,
        )
        return levels, burn

    async def get(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        source = reader.choice("source", tuple(Source)) or Source.DATABASE
        reader.finish()
        if source is Source.PROMETHEUS:
            told = await self._prometheus.told()
            return self._answer(source, told.at, Levels(told.sums, await self._maintenance(told.at)))
        now = self._now()
        with self._metrics.timed("slo"):
            asked = {name: windows_of(objective) for name, objective in self._objectives.items()}
            levels = await self._reads.levels(asked, now)
        return self._answer(source, now, levels)

    async def burn(self, request: Request) -> Response:
        objective = self._by_name.get(request.path_params["objective"])
        if objective is None:
            raise Problem(ProblemType.NOT_FOUND, f"there is no such objective; there are {', '.join(self._by_name)}")
        reader = QueryReader(request.query_params)
        hours = reader.whole("hours", 24, high=LONGEST_WINDOW)
        reader.finish()
        step = next(step for most, step in STEPS if hours <= most)
        now = self._now()
        shown = Span(down(now - dt.timedelta(hours=hours), step), down(now, step) + step)
        with self._metrics.timed("slo_series"):
            points = await self._reads.series(objective.component, shown.first - LOOKS_BACK, step)
            maintenance = await self._reads.maintenance(shown.first)
        return JsonResponse(_series(objective, points, step, shown, maintenance, hours))

    async def _maintenance(self, now: dt.datetime) -> tuple[Maintenance, ...]:
        longest = max(objective.window for objective in self._objectives.values())
        return tuple(each for each in await self._reads.maintenance(now - longest) if each.starts_at <= now)

    def _answer(self, source: Source, at: dt.datetime, levels: Levels) -> Response:
        items = [
            _shown(stand(objective, levels.sums.get(name, {})), at, levels.maintenance)
            for name, objective in self._objectives.items()
        ]
        return JsonResponse(ObjectiveStandings(source, at, source is Source.DATABASE, items))


def _shown(standing: Standing, now: dt.datetime, maintenance: Sequence[Maintenance]) -> ObjectiveStanding:
    objective, budget, left = standing.objective, standing.budget, standing.exhausted_in
    return ObjectiveStanding(
        name=objective.name,
        title=objective.title,
        description=objective.description,
        component=objective.component,
        target=objective.target,
        window=shown_duration(objective.window),
        good=standing.indicator.good,
        total=standing.indicator.total,
        availability=budget.availability,
        error_budget_remaining=budget.remaining,
        burn_rate=budget.burn_rate,
        state=budget.state,
        exhausted_in_seconds=None if left is None else round(left.total_seconds()),
        burn_rates=[
            BurnRate(
                shown_duration(burn.rule.long),
                shown_duration(burn.rule.short),
                burn.rule.above,
                burn.rule.severity,
                burn.long,
                burn.short,
                burn.firing,
            )
            for burn in standing.burns
        ],
        maintenance=[
            shown_window(each)
            for each in maintenance
            if each.covers(objective.component) and each.ends_at > now - objective.window
        ],
    )


def _series(
    objective: Objective,
    points: Sequence[Point],
    step: dt.timedelta,
    shown: Span,
    maintenance: Sequence[Maintenance],
    hours: int,
) -> BurnSeries:
    declared = [each for each in maintenance if each.covers(objective.component)]
    within = [point for point in points if point.at >= shown.first]
    return BurnSeries(
        objective=objective.name,
        hours=hours,
        step_seconds=round(step.total_seconds()),
        since=shown.first,
        until=shown.after,
        points=_points(objective, within, step, declared),
        alerts=[
            BurnAlert(
                one.rule.severity,
                shown_duration(one.rule.long),
                shown_duration(one.rule.short),
                one.span.first,
                one.span.after,
            )
            for one in fired(objective, points, step, shown)
        ],
        maintenance=[shown_window(each) for each in declared],
    )


def _points(
    objective: Objective, points: Sequence[Point], step: dt.timedelta, maintenance: Sequence[Maintenance]
) -> list[BurnPoint]:
    declared = [each.span for each in maintenance]
    return [
        BurnPoint(
            point.at,
            point.indicator.good,
            point.indicator.total,
            burn_rate(objective, point.indicator),
            any(span.touches(Span(point.at, point.at + step)) for span in declared),
        )
        for point in points
    ]
