"""POST /ingest and /api/v1/ingest: one event, in the documented v1 shape."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api.bodies import read_bytes
from api.door import Door
from api.events import EXAMPLE, EventBody, trace_headers
from api.metrics import ApiMetrics, refusal_of
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.routes import ApiRoute
from schemas.errors import BrokerUnavailable, RecordRejected
from schemas.scopes import Scope
from streams.core.ingest import IngestRecord, Unpublished, to_record


class Queued(Struct, frozen=True):
    """The broker has the event."""

    status: str
    correlation_id: str
    queue_depth: int
    """Records that no worker has decided yet, as of at most two seconds ago."""


class Ingest:
    def __init__(self, door: Door, metrics: ApiMetrics) -> None:
        self._door = door
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        return tuple(
            ApiRoute(
                method="POST",
                path=path,
                endpoint=self.post,
                scope=Scope.EVENTS_WRITE,
                summary="Publish one event",
                body=EventBody,
                unknown_members=True,
                example=EXAMPLE,
                answer=Queued,
                errors=(400, 429, 503),
                successor="/api/v2/events",
            )
            for path in ("/ingest", "/api/v1/ingest")
        )

    async def post(self, request: Request) -> Response:
        body = await read_bytes(request)
        record = self._record(body)
        depth = await self._door.admit(request.state.client.id, 1)
        outcomes = await self._door.publish([record], trace_headers(request))
        if isinstance(outcomes[0], Unpublished):
            raise BrokerUnavailable("Kafka: not acknowledged")
        return JsonResponse(Queued("queued", request.state.correlation_id, depth))

    def _record(self, body: bytes) -> IngestRecord:
        try:
            return to_record(body)
        except RecordRejected as rejected:
            self._metrics.ingest_refused(refusal_of(rejected.reason), 1)
            raise Problem(ProblemType.MALFORMED, str(rejected)) from None
