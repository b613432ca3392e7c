"""/api/v2/config-audit: who changed what, when and why, with the change as a JSON Patch; and all of it as a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import lists
from api.cursors import Cursors
from api.exports import CSV, csv_line
from api.lists import Listing
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.queries import Instant, QueryReader, text_up_to
from api.routes import NDJSON, ApiRoute, Parameter
from schemas.scopes import Scope
from streams.adapters.config_audit import ConfigAudit
from streams.core.config_audit import ConfigAuditQuery, ConfigChange, patch

PATH = "/api/v2/config-audit"
PIECE = 500
"""Entries that an export holds at once."""
LONGEST_TEXT = 255
NO_ENTRY = "there is no such entry"

Text = Annotated[str, text_up_to(LONGEST_TEXT)]

FILTERS = (
    Parameter("actor", "Part of who changed it, in any case.", Text, example="api:grafana"),
    Parameter("client_id", "This client of the API.", Text),
    Parameter("operation", "CREATE, UPDATE, DELETE, REPLAY and the like.", Text, example="UPDATE"),
    Parameter("table", "Objects of this kind.", Text, example="alert_rules"),
    Parameter("object", "This object: a rule's id, a host's name, a key.", Text, example="moog_rate_limit"),
    Parameter("since", "Not before this.", Instant, example="2026-03-01T00:00:00Z"),
    Parameter("until", "Before this.", Instant),
    Parameter("q", "Part of the object, the reason or a value, in any case.", Text),
)


class ShownChange(Struct, frozen=True, kw_only=True):
    """One change. `before` and `after` hold what changed; a creation has no `before`, a deletion no `after`."""

    id: int
    changed_at: dt.datetime
    actor: str
    client_id: str | None
    operation: str
    table: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    patch: list[dict[str, Any]]
    """The way from `before` to `after` (RFC 6902)."""
    reason: str | None
    correlation_id: str | None
    request_id: str | None


CHANGES = Listing(item=ShownChange, sorts={"id": "id"}, default="-id")
AUDIT = Listing(item=ShownChange, sorts={"id": "id"}, default="-id", filters=FILTERS)


class AuditReader:
    """Pages of changes, also for the history of one thing."""

    def __init__(self, audit: ConfigAudit, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._audit = audit
        self._cursors = cursors
        self._metrics = metrics

    async def page(self, request: Request, query: ConfigAuditQuery, reader: QueryReader | None = None) -> Response:
        """`reader` where it has read filters before."""
        asked = lists.asked(request, reader or QueryReader(request.query_params), AUDIT, self._cursors)
        with self._metrics.timed("config_audit"):
            page = await self._audit.page(query, after=asked.after, limit=asked.limit, sort=asked.sort)
        return lists.answer(asked, map(shown_change, page.items), page.next, self._cursors)


class ConfigAuditTrail:
    def __init__(self, audit: ConfigAudit, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._audit = audit
        self._reader = AuditReader(audit, cursors, metrics)
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        read = Scope.AUDIT_READ
        format_ = Parameter("format", "csv or ndjson.", Annotated[str, Meta(extra_json_schema={"enum": list(WRITERS)})])
        return (
            ApiRoute(method="GET", path=PATH, endpoint=self.list, scope=read, query=AUDIT.query, answer=AUDIT.answer,
                     summary="Changes of configuration, newest first", errors=(400,)),
            ApiRoute(method="GET", path=PATH + "/export", endpoint=self.export, scope=read, query=(*FILTERS, format_),
                     summary="All of them in a file, newest first", gives=(NDJSON, CSV),
                     description="NDJSON; with `format=csv` text/csv, in which no cell is a formula."),
            ApiRoute(method="GET", path=PATH + "/{id:int}", endpoint=self.show, scope=read, summary="One change",
                     answer=ShownChange, errors=(404,)),
        )  # fmt: skip

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        return await self._reader.page(request, read_query(reader), reader)

    async def show(self, request: Request) -> Response:
        number = request.path_params["id"]
        with self._metrics.timed("config_audit"):
            found = await self._audit.get(number) if number < 2**63 else None
        if found is None:
            raise Problem(ProblemType.NOT_FOUND, NO_ENTRY)
        return JsonResponse(shown_change(found))

    async def export(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        query = read_query(reader)
        chosen = reader.choice("format", tuple(WRITERS)) or "ndjson"
        reader.finish()
        pieces = self._audit.every(query, piece=PIECE)
        first = await anext(pieces)  # so that a store that is away is no file that breaks off
        media, head, line = WRITERS[chosen]
        headers = {"Content-Disposition": f'attachment; filename="config-audit.{chosen}"'}
        return StreamingResponse(_written(first, pieces, head, line), media_type=media, headers=headers)


def read_query(reader: QueryReader) -> ConfigAuditQuery:
    """The filters; what is wrong with them is the reader's to tell."""
    operation, table = reader.text("operation", longest=LONGEST_TEXT), reader.text("table", longest=LONGEST_TEXT)
    since, until = reader.instant("since"), reader.instant("until")
    if since and until and since > until:
        reader.refuse("since must not lie after until", "since")
    return ConfigAuditQuery(
        actor=reader.text("actor", longest=LONGEST_TEXT),
        client_id=reader.text("client_id", longest=LONGEST_TEXT),
        object=reader.text("object", longest=LONGEST_TEXT),
        operations=(operation.upper(),) if operation else None,
        tables=(table,) if table else None,
        start=since,
        until=until,
        text=reader.text("q", longest=LONGEST_TEXT),
    )


def shown_change(change: ConfigChange) -> ShownChange:
    return ShownChange(
        id=change.id,
        changed_at=change.changed_at,
        actor=change.changed_by,
        client_id=change.client_id,
        operation=change.operation,
        table=change.table,
        object=change.object,
        before=dict(change.before) if change.before is not None else None,
        after=dict(change.after) if change.after is not None else None,
        patch=patch(change.before, change.after),
        reason=change.reason,
        correlation_id=change.correlation_id,
        request_id=change.request_id,
    )


async def _written(
    first: tuple[ConfigChange, ...],
    others: AsyncIterator[tuple[ConfigChange, ...]],
    head: str,
    line: Callable[[ConfigChange], str],
) -> AsyncIterator[str]:
    yield head + "".join(map(line, first))
    async for piece in others:
        yield "".join(map(line, piece))


CSV_COLUMNS = ShownChange.__struct_fields__


def _csv(change: ConfigChange) -> str:
    cells: dict[str, Any] = msgspec.to_builtins(shown_change(change))
    return csv_line(cells[name] for name in CSV_COLUMNS)


def _ndjson(change: ConfigChange) -> str:
    return msgspec.json.encode(shown_change(change)).decode() + "\n"


WRITERS: dict[str, tuple[str, str, Callable[[ConfigChange], str]]] = {
    "ndjson": (NDJSON, "", _ndjson),
    "csv": (CSV, csv_line(CSV_COLUMNS), _csv),
}
