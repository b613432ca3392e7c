"""GET /api/v1/slo: how fast the error budgets burn, in the documented v1 shape."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.queries import QueryReader
from streams.core.reads import Reads
from streams.core.slo import OBJECTIVES, Indicator, Objective, assess

LONGEST_WINDOW = 720
"""Hours; 30 days."""


class Slo:
    def __init__(self, reads: Reads, metrics: ApiMetrics) -> None:
        self._reads = reads
        self._metrics = metrics

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
        return JsonResponse({"window_hours": hours, "components": components})


def standing(objective: Objective, indicator: Indicator, hours: int) -> dict[str, Any]:
    """One component as v1 shows it."""
    budget = assess(objective, indicator)
    return {
        "target": objective.target,
        "availability": budget.availability,
        "error_budget_remaining": budget.remaining,
        "burn_rate": budget.burn_rate,
        "state": budget.state.value,
        "window_hours": hours,
    }
