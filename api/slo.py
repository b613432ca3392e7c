"""GET /api/v1/slo: how fast the error budgets of ingestor and forwarder burn, in the documented v1 shape."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api.gate import Now
from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from schemas.scopes import Scope
from schemas.slo import Component, Objective, Objectives
from streams.core.slo import BurnState, Indicator, assess
from streams.core.slo_reads import SloReads

LONGEST_WINDOW = 720
"""Hours; 30 days."""
HOURS = Annotated[int, Meta(ge=1, le=LONGEST_WINDOW)]

COMPONENTS = (Component.INGESTOR, Component.FORWARDER)
"""Those that v1 knows."""


class V1Standing(Struct, frozen=True):
    """One component: its objective, and how far it is kept."""

    target: float
    availability: float | None
    """None without traffic; nothing is burnt then, and the state is ok."""
    error_budget_remaining: float
    burn_rate: float
    state: BurnState
    window_hours: int


class V1Standings(Struct, frozen=True):
    window_hours: int
    components: dict[str, V1Standing]


class Slo:
    def __init__(self, reads: SloReads, objectives: Objectives, metrics: ApiMetrics, now: Now) -> None:
        self._reads = reads
        self._objectives = objectives
        self._metrics = metrics
        self._now = now

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(
            method="GET",
            path="/api/v1/slo",
            endpoint=self.get,
            scope=Scope.EVENTS_READ,
            summary="How fast the error budgets burn",
            query=(Parameter("window_hours", "Hours that count, up to now.", HOURS, example=24),),
            answer=V1Standings,
            errors=(422, 503),
            successor="/api/v2/slo",
        )
        return (get,)

    async def get(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        asked = reader.optional_whole("window_hours", high=LONGEST_WINDOW)
        reader.finish()
        with self._metrics.timed("slo"):
            hours = asked or await self._reads.slo_window_hours()
            length = dt.timedelta(hours=hours)
            levels = await self._reads.levels(dict.fromkeys(COMPONENTS, (length,)), self._now())
        components = {
            name.value: standing(self._objectives[name], levels.sums[name][length], hours) for name in COMPONENTS
        }
        return JsonResponse(V1Standings(hours, components))


def standing(objective: Objective, indicator: Indicator, hours: int) -> V1Standing:
    """One component as v1 shows it."""
    budget = assess(objective, indicator)
    return V1Standing(
        target=objective.target,
        availability=budget.availability,
        error_budget_remaining=budget.remaining,
        burn_rate=budget.burn_rate,
        state=BurnState.OK if budget.state is BurnState.NO_DATA else budget.state,
        window_hours=hours,
    )
