"""/api/v2/maintenance: time in which failures do not count against the objectives, declared and ended."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, preconditions, queries
from api.authors import author_of
from api.gate import Now
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from schemas.scopes import Scope
from schemas.slo import LONGEST_WINDOW, Component
from streams.core.maintenance import REASON_LIMIT
from streams.core.slo_reads import Draft, MaintenanceStore
from streams.core.slo_windows import Maintenance

PATH = "/api/v2/maintenance"

Instant = Annotated[dt.datetime, Meta(tz=True)]
_EXAMPLE = {
    "component": "forwarder",
    "starts_at": "2026-03-01T22:00:00Z",
    "ends_at": "2026-03-01T23:00:00Z",
    "reason": "the receiver is upgraded",
}


class NewWindow(Struct, forbid_unknown_fields=True):
    """What a client declares. A component of null means all of them."""

    component: Component | None
    starts_at: Instant
    ends_at: Instant
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_LIMIT)]


class Window(Struct, frozen=True):
    """A declared window. Every minute that it touches is left out of the sums."""

    id: int
    version: int
    component: Component | None
    starts_at: dt.datetime
    ends_at: dt.datetime
    reason: str
    declared_by: str
    declared_at: dt.datetime


class Windows(Struct, frozen=True):
    items: list[Window]
    next: str | None = None


class MaintenanceWindows:
    def __init__(self, store: MaintenanceStore, now: Now) -> None:
        self._store = store
        self._now = now

    def routes(self) -> tuple[ApiRoute, ...]:
        since = Parameter("since", "Windows that end after it; 30 days ago if not said.", queries.Instant)
        one = PATH + "/{id:int}"
        return (
            ApiRoute(
                method="GET",
                path=PATH,
                endpoint=self.list,
                scope=Scope.CONFIG_READ,
                summary="Declared maintenance, the last to start first",
                query=(since,),
                answer=Windows,
            ),
            ApiRoute(
                method="POST",
                path=PATH,
                endpoint=self.declare,
                scope=Scope.CONFIG_WRITE,
                summary="Declare maintenance",
                body=NewWindow,
                example=_EXAMPLE,
                answer=Window,
                status=201,
            ),
            ApiRoute(
                method="GET",
                path=one,
                endpoint=self.show,
                scope=Scope.CONFIG_READ,
                summary="One window",
                answer=Window,
            ),
            ApiRoute(
                method="DELETE",
                path=one,
                endpoint=self.end,
                scope=Scope.CONFIG_WRITE,
                summary="End a window now; one that has not begun is taken back",
                headers=(preconditions.IF_MATCH,),
                answer=Window,
                errors=(409, 412, 428),
            ),
        )

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        since = reader.instant("since")
        reader.finish()
        found = await self._store.since(since or self._now() - LONGEST_WINDOW)
        return JsonResponse(Windows([shown_window(each) for each in found]))

    async def declare(self, request: Request) -> Response:
        new = await bodies.read(request, NewWindow)
        draft = Draft(new.component, new.starts_at, new.ends_at, new.reason)
        return _answer(await self._store.declare(draft, author_of(request, new.reason)), 201)

    async def show(self, request: Request) -> Response:
        return _answer(await self._found(request))

    async def end(self, request: Request) -> Response:
        window = await self._found(request)
        preconditions.required(request, window.version)
        ended = await self._store.end(window.id, self._now(), author_of(request), version=window.version)
        if ended is None:
            raise _missing()
        return _answer(ended)

    async def _found(self, request: Request) -> Maintenance:
        found = await self._store.find(request.path_params["id"])
        if found is None:
            raise _missing()
        return found


def shown_window(window: Maintenance) -> Window:
    return Window(
        id=window.id,
        version=window.version,
        component=window.component,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        reason=window.reason,
        declared_by=window.declared_by,
        declared_at=window.declared_at,
    )


def _missing() -> Problem:
    return Problem(ProblemType.NOT_FOUND, "there is no such maintenance window")


def _answer(window: Maintenance, status: int = 200) -> Response:
    headers = {"ETag": preconditions.etag(window.version)}
    if status == 201:
        headers["Location"] = f"{PATH}/{window.id}"
    return JsonResponse(shown_window(window), status, headers=headers)
