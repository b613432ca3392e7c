"""GET /api/v1/audit-logs: what became of events, in the documented v1 shape."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.queries import QueryReader
from schemas.topics import BY_NAME
from streams.core.reads import AuditEntry, AuditPage, AuditQuery, Reads

DEFAULT_LIMIT = 50
MOST = 200
"""A larger `limit` counts as this."""
LAST_PAGE = 2**31 - 1
LONGEST_HOSTNAME = 1024
LARGEST_RULE_ID = 2**31 - 1

UNHANDLED = "Unhandled"
"""The decision on events that no rule matched."""


class AuditLogs:
    def __init__(self, reads: Reads, metrics: ApiMetrics) -> None:
        self._reads = reads
        self._metrics = metrics

    async def get(self, request: Request) -> Response:
        query = read_query(QueryReader(request.query_params))
        with self._metrics.timed("audit_logs"):
            page = await self._reads.audit_logs(query)
        headers = {"X-Total-Estimated": "true"} if page.estimated else {}
        logs = [shown(entry) for entry in page.entries]
        return JsonResponse({"logs": logs, "pagination": pagination(query, page)}, headers=headers)


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
        reader.refuse("start_date must not lie after end_date")
    reader.finish()
    return query


def shown(entry: AuditEntry) -> dict[str, Any]:
    """One event as v1 shows it; the record as text, undecodable bytes replaced."""
    return {
        "id": audit_id(entry),
        "event_timestamp": entry.time.isoformat(),
        "hostname": entry.hostname,
        "matched_rule_id": entry.rule_id,
        "handling_decision": entry.handling or UNHANDLED,
        "forwarded_to_moog": entry.alerted,
        "raw_message": entry.raw.decode("utf-8", "replace"),
    }


def audit_id(entry: AuditEntry) -> int:
    """Unique over all topics, and the same for good: where the record lies. Below 2^63 for 127 topics."""
    topic = BY_NAME.get(entry.topic)
    return ((topic.number if topic else 0) << 56) + (entry.partition << 40) + entry.offset


def pagination(query: AuditQuery, page: AuditPage) -> dict[str, int]:
    pages = -(-page.total // query.limit)
    return {"page": query.page, "limit": query.limit, "total": page.total, "pages": pages}
