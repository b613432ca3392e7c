"""POST /api/v2/events: one event, an array, or one a line; 202 once the broker has them, with a result for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from api.bodies import media_type, read_bytes
from api.door import Door
from api.metrics import ApiMetrics, refusal_of
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, JsonResponse, Problem
from api.routes import JSON, NDJSON, ApiRoute
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import Event, event_id
from schemas.scopes import Scope
from schemas.trace_context import HEADER, traceparent
from streams.core.ingest import Headers, IngestRecord, Published, Unpublished, to_record

MOST_EVENTS = 1000
"""Events of one request."""
MOST_FAULTS = 100
"""Faults that are named where no event of a request is good."""

EXAMPLE = {
    "timestamp": "2026-03-01T12:00:00Z",
    "hostname": "core-1",
    "message": "%LINK-3-UPDOWN: Interface GigabitEthernet1/0/1, changed state to down",
    "syslog_severity": 3,
}

PUBLISHED, REJECTED, UNKNOWN, FAILED = "published", "rejected", "unknown", "failed"


class EventBody(Event, gc=False, kw_only=True):
    """An event as producers may write it; a timestamp may be a number, structured data RFC 5424 text."""

    timestamp: str | float  # type: ignore[assignment]
    structured_data: dict[str, Any] | str | None = None  # type: ignore[assignment]


class EventError(Struct, frozen=True):
    """Why an event was rejected: a reason of dead letters, and what is wrong."""

    reason: Reason
    detail: str


class EventResult(Struct, frozen=True, omit_defaults=True):
    """What became of one event. `published`: the broker has it. `rejected`: its own fault, see `error`.

    `unknown`: the broker did not answer in time; it may be published all the same. `failed`: it is not published.
    """

    index: int
    """In the array, or of the line; lines without content are not counted."""
    status: str
    topic: str | UnsetType = UNSET
    partition: int | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    error: EventError | UnsetType = UNSET


class EventResults(Struct, frozen=True):
    items: list[EventResult]
    counts: dict[str, int]
    """How many events have which status."""


class Events:
    def __init__(self, door: Door, metrics: ApiMetrics) -> None:
        self._door = door
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        post = ApiRoute(
            method="POST",
            path="/api/v2/events",
            endpoint=self.post,
            scope=Scope.EVENTS_WRITE,
            summary="Publish events",
            description=(
                f"One event, an array of up to {MOST_EVENTS}, or NDJSON: one a line. The answer comes once the broker"
                " has acknowledged what could be published, and says for each event what became of it. Members that"
                " are not known are kept with the record."
            ),
            body=EventBody | list[EventBody],
            accepts=(JSON, NDJSON),
            unknown_members=True,
            example=EXAMPLE,
            answer=EventResults,
            status=202,
            errors=(413, 429, 503),
        )
        return (post,)

    async def post(self, request: Request) -> Response:
        body = await read_bytes(request)
        values = _lines(body) if media_type(request) == NDJSON else _documents(body)
        if not values:
            raise Invalid([Fault("holds no event", pointer="")])
        if len(values) > MOST_EVENTS:
            raise Problem(ProblemType.TOO_LARGE, f"{len(values)} events; at most {MOST_EVENTS} in one request")
        await self._door.admit(request.state.client.id, len(values))
        good, bad = self._read(values)
        if not good:
            raise Invalid([Fault(f"{rejected}", pointer=f"/{index}") for index, rejected in bad.items()][:MOST_FAULTS])
        outcomes = await self._door.publish(list(good.values()), trace_headers(request))
        results = dict(zip(good, map(_published, good, outcomes), strict=True))
        results |= {index: _rejected(index, rejected) for index, rejected in bad.items()}
        items = [results[index] for index in range(len(values))]
        return JsonResponse(EventResults(items, dict(Counter(one.status for one in items))), 202)

    def _read(self, values: Sequence[bytes]) -> tuple[dict[int, IngestRecord], dict[int, RecordRejected]]:
        """The good and the bad, by their index."""
        good: dict[int, IngestRecord] = {}
        bad: dict[int, RecordRejected] = {}
        for index, value in enumerate(values):
            try:
                good[index] = to_record(value)
            except RecordRejected as rejected:
                bad[index] = rejected
                self._metrics.ingest_refused(refusal_of(rejected.reason), 1)
        return good, bad


def trace_headers(request: Request) -> Headers:
    """The caller's trace context (W3C), where it is one: it goes along with the records."""
    trace = traceparent(request.headers.getlist(HEADER))
    return [] if trace is None else [(HEADER, trace.encode())]


def _documents(body: bytes) -> list[bytes]:
    """The events of a JSON body, byte for byte: the one object, or the items of the array."""
    if body.lstrip()[:1] != b"[":
        return [body]
    try:
        return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Problem(ProblemType.MALFORMED, "the body is no JSON array that mutt reads") from None


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]


def _published(index: int, outcome: Published | Unpublished) -> EventResult:
    if isinstance(outcome, Unpublished):
        return EventResult(index, UNKNOWN if outcome.unknown else FAILED)
    topic, partition, offset = outcome.topic, outcome.partition, outcome.offset
    return EventResult(index, PUBLISHED, topic, partition, offset, event_id(topic, partition, offset))


def _rejected(index: int, rejected: RecordRejected) -> EventResult:
    return EventResult(index, REJECTED, error=EventError(rejected.reason, rejected.detail))
