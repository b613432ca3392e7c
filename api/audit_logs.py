"""GET /api/v1/audit-logs: what became of events, in the documented v1 shape."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.queries import DayOrInstant, QueryReader, text_up_to
from api.routes import ApiRoute, Parameter
from schemas.scopes import Scope
from schemas.topics import topics_by_name
from streams.core.reads import AuditEntry, AuditPage, AuditQuery, Reads

DEFAULT_LIMIT = 50
MOST = 200
"""A larger `limit` counts as this."""
LAST_PAGE = 2**31 - 1
LONGEST_HOSTNAME = 1024
LARGEST_RULE_ID = 2**31 - 1

UNHANDLED = "Unhandled"
"""The decision on events that no rule matched."""


QUERY = (
    Parameter("page", "Which page, from 1.", Annotated[int, Meta(ge=1, le=LAST_PAGE)], example=1),
    Parameter("limit", f"Rows on a page; above {MOST} it counts as that.", Annotated[int, Meta(ge=1)], example=50),
    Parameter("hostname", "This host alone.", Annotated[str, text_up_to(LONGEST_HOSTNAME)]),
    Parameter("rule_id", "What this rule matched.", Annotated[int, Meta(ge=1, le=LARGEST_RULE_ID)]),
    Parameter("start_date", "Not before this; inclusive.", DayOrInstant, example="2026-03-01"),
    Parameter("end_date", "Not after this; inclusive.", DayOrInstant, example="2026-03-31T12:00:00Z"),
)


class AuditLog(Struct, frozen=True):
    """One event, and what became of it."""

    id: int
    event_timestamp: str
    hostname: str
    matched_rule_id: int | None
    handling_decision: str
    forwarded_to_moog: bool
    raw_message: str | None
    """The record as text, undecodable bytes replaced."""


class Pagination(Struct, frozen=True):
    """Where a v1 page lies in the whole."""

    page: int
    limit: int
    total: int
    pages: int


class AuditLogPage(Struct, frozen=True):
    logs: list[AuditLog]
    pagination: Pagination


class AuditLogs:
    def __init__(self, reads: Reads, metrics: ApiMetrics) -> None:
        self._reads = reads
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(
            method="GET",
            path="/api/v1/audit-logs",
            endpoint=self.get,
            scope=Scope.EVENTS_READ,
            summary="Audited events, newest first",
            query=QUERY,
            answer=AuditLogPage,
            errors=(422, 503),
            successor="/api/v2/audit-logs",
        )
        return (get,)

    async def get(self, request: Request) -> Response:
        query = read_query(QueryReader(request.query_params))
        with self._metrics.timed("audit_logs"):
            page = await self._reads.audit_logs(query)
        headers = {"X-Total-Estimated": "true"} if page.estimated else {}
        logs = [shown(entry) for entry in page.entries]
        return JsonResponse(AuditLogPage(logs, pagination(query, page)), headers=headers)


def read_query(reader: QueryReader) -> AuditQuery:
    """Raises Invalid."""
    query = AuditQuery(
        page=reader.whole("page", 1, high=LAST_PAGE),
        limit=min(reader.whole("limit", DEFAULT_LIMIT), MOST),
        hostname=reader.text("hostname", longest=LONGEST_HOSTNAME),
        rule_id=reader.optional_whole("rule_id", high=LARGEST_RULE_ID),
        start=reader.start("start_date"),
        end=reader.end("end_date"),
    )
    if query.start and query.end and query.start > query.end:
        reader.refuse("start_date must not lie after end_date", "start_date")
    reader.finish()
    return query


def shown(entry: AuditEntry) -> AuditLog:
    """One event as v1 shows it."""
    return AuditLog(
        id=audit_id(entry),
        event_timestamp=entry.time.isoformat(),
        hostname=entry.hostname,
        matched_rule_id=entry.rule_id,
        handling_decision=entry.handling or UNHANDLED,
        forwarded_to_moog=entry.alerted,
        raw_message=entry.raw.decode("utf-8", "replace"),
    )


def audit_id(entry: AuditEntry) -> int:
    """Unique over all topics, and the same for good: where the record lies. Below 2^63 for 127 topics."""
    topic = topics_by_name().get(entry.topic)
    return ((topic.number if topic else 0) << 56) + (entry.partition << 40) + entry.offset


def pagination(query: AuditQuery, page: AuditPage) -> Pagination:
    return Pagination(query.page, query.limit, page.total, pages=-(-page.total // query.limit))
