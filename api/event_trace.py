"""GET /api/v2/events/{id}/trace: everything that is known of one event."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from schemas.errors import Refused
from schemas.scopes import Scope
from streams.adapters.event_traces import EventTraces
from streams.adapters.trace_documents import wanted_event

ABSENT = "nothing is known of such an event"


class EventTrace(Struct, frozen=True, kw_only=True):
    """The record, what was decided and why, and what came of it; rows as the tables hold them."""

    event_id: str
    verdict: str
    """One sentence for people."""
    record: dict[str, Any]
    progress: dict[str, Any] | None
    ledger: list[dict[str, Any]]
    audit: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    """The versions of the rules that decided."""
    alerts: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]]
    replays: list[dict[str, Any]]
    replayed_as: list[dict[str, Any]]


class EventTracing:
    def __init__(self, traces: EventTraces, metrics: ApiMetrics) -> None:
        self._traces = traces
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        record = Parameter("record", "Whether the record itself is looked for, in Kafka.", Literal["true", "false"])
        get = ApiRoute(
            method="GET",
            path="/api/v2/events/{id}/trace",
            endpoint=self.get,
            scope=Scope.EVENTS_READ,
            summary="What happened to one event",
            description="`id` is topic:partition:offset, or the id of an alert.",
            query=(record,),
            answer=EventTrace,
        )
        return (get,)

    async def get(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        record = reader.switch("record")
        reader.finish()
        try:
            wanted = wanted_event(request.path_params["id"])
        except Refused:
            raise Problem(ProblemType.NOT_FOUND, ABSENT) from None
        with self._metrics.timed("trace"):
            found = await self._traces.trace(wanted, record=record is not False)
        if found is None:
            raise Problem(ProblemType.NOT_FOUND, ABSENT)
        return JsonResponse(found)
