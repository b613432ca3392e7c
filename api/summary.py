"""GET /api/v1/metrics and /api/v2/metrics/summary: how many events come, now and over the day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api.fresh import Fresh
from api.gate import Now
from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.routes import ApiRoute
from schemas.scopes import Scope
from schemas.slo import Component
from streams.core.rates import Rates, day_starts, rates
from streams.core.slo_reads import Point, SloReads
from streams.core.slo_windows import HOUR, MINUTE

HOLDS_S = 5.0


class V1Summary(Struct, frozen=True):
    """Events a minute."""

    current_rate_1m: float
    avg_rate_15m: float
    avg_rate_1h: float


class V1Chart(Struct, frozen=True):
    """The last 24 hours of UTC, the oldest first: events a minute, the mean of each."""

    labels: list[str]
    data: list[float]


class V1Metrics(Struct, frozen=True):
    summary: V1Summary
    chart_24h: V1Chart


class HourRate(Struct, frozen=True):
    """The mean of an hour; of the one that runs, so far."""

    at: dt.datetime
    events_per_minute: float


class Summary(Struct, frozen=True):
    """Events a minute: the last whole minute, and means; empty minutes count as 0."""

    as_of: dt.datetime
    last_minute: float
    mean_15_minutes: float
    mean_hour: float
    hours: list[HourRate]


class MetricsSummary:
    """All who ask within some seconds get the same."""

    def __init__(self, reads: SloReads, metrics: ApiMetrics, now: Now) -> None:
        self._reads = reads
        self._metrics = metrics
        self._now = now
        self._found = Fresh(self._read, holds_s=HOLDS_S)

    def routes(self) -> tuple[ApiRoute, ...]:
        v1 = ApiRoute(
            method="GET",
            path="/api/v1/metrics",
            endpoint=self.v1,
            scope=Scope.EVENTS_READ,
            summary="How many events come",
            answer=V1Metrics,
            successor="/api/v2/metrics/summary",
        )
        v2 = ApiRoute(
            method="GET",
            path="/api/v2/metrics/summary",
            endpoint=self.v2,
            scope=Scope.EVENTS_READ,
            summary="How many events come, now and over the last 24 hours",
            answer=Summary,
        )
        return v1, v2

    async def v1(self, _: Request) -> Response:
        found = (await self._found.get())[1]
        summary = V1Summary(found.current_1m, found.mean_15m, found.mean_1h)
        chart = V1Chart([f"{hour.at:%H}:00" for hour in found.day], [hour.a_minute for hour in found.day])
        return JsonResponse(V1Metrics(summary, chart))

    async def v2(self, _: Request) -> Response:
        at, found = await self._found.get()
        hours = [HourRate(hour.at, hour.a_minute) for hour in found.day]
        return JsonResponse(Summary(at, found.current_1m, found.mean_15m, found.mean_1h, hours))

    async def _read(self) -> tuple[dt.datetime, Rates]:
        now = self._now()
        with self._metrics.timed("metrics_summary"):
            minutes = await self._reads.series(Component.INGESTOR, now - HOUR - MINUTE, MINUTE)
            hours = await self._reads.series(Component.INGESTOR, day_starts(now), HOUR)
        return now, rates(_totals(minutes), _totals(hours), now)


def _totals(points: Sequence[Point]) -> dict[dt.datetime, float]:
    return {point.at: point.indicator.total for point in points}
