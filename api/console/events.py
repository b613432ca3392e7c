"""Events, alerts and the ledger: what became of what came in."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import audited_events, deliveries, ledger
from api.console.inside import Inside
from api.console.listing import list_page
from api.console.rendering import Pages
from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import ApiRoute
from schemas.alerts import AlertState
from schemas.events import Disposition
from schemas.scopes import Scope

LEDGER_NAMES = (*(one.value for one in Disposition), "missing")


class EventPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        read = Scope.EVENTS_READ
        return (
            ApiRoute(method="GET", path="/ui/events", endpoint=self.events, scope=read, summary="Audited events"),
            ApiRoute(method="GET", path="/ui/events/{id}", endpoint=self.event, scope=read, summary="One event"),
            ApiRoute(method="GET", path="/ui/alerts", endpoint=self.alerts, scope=read, summary="Alerts"),
            ApiRoute(method="GET", path="/ui/ledger", endpoint=self.ledger, scope=read, summary="The ledger"),
        )

    async def events(self, request: Request) -> Response:
        page = await list_page(self._inside, request, "/api/v2/audit-logs", audited_events.FILTERS)
        return self._pages.page(request, "events.html", page=page, dispositions=[one.value for one in Disposition])

    async def event(self, request: Request) -> Response:
        """An audited event has its record in its row; Kafka is asked where it has not, or where one wants to know."""
        path = f"/api/v2/events/{request.path_params['id']}/trace"
        found = await self._stored(request, path)
        in_kafka = request.query_params.get("record") == "true" or found is None or not found["audit"]
        if in_kafka:
            found = await self._inside.get(request, path)
        return self._pages.page(request, "event.html", it=found, in_kafka=in_kafka)

    async def _stored(self, request: Request, path: str) -> Any:
        """What the tables hold; None where they hold nothing, which a record that is still to be read has, too."""
        try:
            return await self._inside.get(request, path, {"record": "false"})
        except Problem as problem:
            if problem.type is not ProblemType.NOT_FOUND:
                raise
            return None

    async def alerts(self, request: Request) -> Response:
        page = await list_page(self._inside, request, "/api/v2/deliveries", deliveries.FILTERS)
        return self._pages.page(request, "alerts.html", page=page, states=[one.value for one in AlertState])

    async def ledger(self, request: Request) -> Response:
        found = await self._inside.get(request, ledger.PATH)
        return self._pages.page(request, "ledger.html", it=found, names=LEDGER_NAMES)
