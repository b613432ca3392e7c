"""Service levels: every objective, how fast its budget burns, and how it burned in the last day."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from api.console.charts import burn_chart
from api.console.inside import Inside
from api.console.rendering import Pages
from api.routes import ApiRoute
from schemas.scopes import Scope

HOURS = ("24", "168", "720")
"""What can be shown: a day, a week, 30 days."""


class LevelPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(method="GET", path="/ui/slo", endpoint=self.show, scope=Scope.EVENTS_READ, summary="Levels")
        return (get,)

    async def show(self, request: Request) -> Response:
        asked = request.query_params.get("hours", "")
        hours = asked if asked in HOURS else HOURS[0]
        found = await self._inside.get(request, "/api/v2/slo")
        names = [one["name"] for one in found["items"]]
        burns = [self._inside.get(request, f"/api/v2/slo/{name}/burn", {"hours": hours}) for name in names]
        charts = dict(zip(names, map(burn_chart, await asyncio.gather(*burns)), strict=True))
        return self._pages.page(request, "slo.html", it=found, charts=charts, hours=hours, lengths=HOURS)
