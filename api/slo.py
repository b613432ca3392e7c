"""GET /api/v1/slo: how fast the error budgets burn, in the documented v1 shape."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from schemas.scopes import Scope
from streams.core.reads import Reads
from streams.core.slo import OBJECTIVES, BurnState, Indicator, Objective, assess

LONGEST_WINDOW = 720
"""Hours; 30 days."""


class Standing(Struct, frozen=True):
    """One component: its objective, and how far it is kept. Nothing is known of a component without traffic."""

    target: float
    availability: float | None
    error_budget_remaining: float | None
    burn_rate: float | None
    state: BurnState
    window_hours: int


class Standings(Struct, frozen=True):
    window_hours: int
    components: dict[str, Standing]


class Slo:
    def __init__(self, reads: Reads, metrics: ApiMetrics) -> None:
        self._reads = reads
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        hours = Annotated[int, Meta(ge=1, le=LONGEST_WINDOW)]
        get = ApiRoute(
            method="GET",
            path="/api/v1/slo",
            endpoint=self.get,
            scope=Scope.EVENTS_READ,
            summary="How fast the error budgets burn",
            query=(Parameter("window_hours", "Hours that count, up to now.", hours, example=24),),
            answer=Standings,
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
            indicators = await self._reads.indicators(hours)
        components = {
            objective.component: standing(objective, indicators.get(objective.component, Indicator()), hours)
            for objective in OBJECTIVES
        }
        return JsonResponse(Standings(hours, components))


def standing(objective: Objective, indicator: Indicator, hours: int) -> Standing:
    """One component as v1 shows it."""
    budget = assess(objective, indicator)
    return Standing(
        target=objective.target,
        availability=budget.availability,
        error_budget_remaining=budget.remaining,
        burn_rate=budget.burn_rate,
        state=budget.state,
        window_hours=hours,
    )
