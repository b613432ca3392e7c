"""GET /api/v2/audit-logs: what became of events, in the order of the broker's time."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import lists
from api.cursors import Cursors
from api.lists import Listing
from api.metrics import ApiMetrics
from api.queries import QueryReader, text_up_to
from api.routes import ApiRoute, Parameter
from api.stretches import SHORT_PAGES, TIMES, read_times, stretch_of
from schemas.events import Disposition, event_id
from schemas.rows import plain_uuid
from schemas.scopes import Scope
from streams.core.searches import SHOWN_MESSAGE, AuditSearch, Row, Searches

LONGEST_TEXT = 255
LARGEST_RULE_ID = 2**31 - 1
KEY = frozenset({"event_id", "topic", "partition", "offset", "broker_time"})

Text = Annotated[str, text_up_to(LONGEST_TEXT)]


class AuditedEvent(Struct, frozen=True, kw_only=True):
    """One audited event. All there is of it, the record as it came included, is in its trace."""

    event_id: str
    broker_time: dt.datetime
    event_time: dt.datetime | None
    hostname: str
    source: str | None
    syslog_severity: int | None
    disposition: Disposition
    rule_id: int | None
    rule_version: int | None
    ruleset_version: int
    handling: str | None
    team: str | None
    alert_id: uuid.UUID | None
    replay_of: uuid.UUID | None
    """The dead letter that this record was replayed from."""
    correlation_id: str | None
    trap_oid: str | None
    message: str
    """The first 1,000 characters."""
    flags: list[str] | None
    topic: str
    partition: int
    offset: int


FILTERS = (
    Parameter("hostname", "This host alone.", Text, example="core-1"),
    Parameter("rule_id", "What this rule matched.", Annotated[int, Meta(ge=1, le=LARGEST_RULE_ID)]),
    Parameter("disposition", "What became of it.", Disposition, example="alerted"),
    Parameter("alert_id", "The event that this alert is of.", uuid.UUID),
    Parameter("q", "Part of the message, in any case.", Text),
    Parameter("include", "`archive`: also what `mutt retention restore` has put back of archives.", Literal["archive"]),
    *TIMES,
)
LIST = Listing(item=AuditedEvent, sorts={"broker_time": "broker_time"}, default="-broker_time", filters=FILTERS)


class AuditedEvents:
    def __init__(self, searches: Searches, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._searches = searches
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(
            method="GET",
            path="/api/v2/audit-logs",
            endpoint=self.get,
            scope=Scope.EVENTS_READ,
            summary="Audited events, newest first",
            description=f"Messages are cut at {SHOWN_MESSAGE} characters. {SHORT_PAGES}",
            query=LIST.query,
            answer=LIST.answer,
        )
        return (get,)

    async def get(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        times = read_times(reader)
        filters: dict[str, Any] = {
            "disposition": reader.choice("disposition", tuple(Disposition)),
            "hostname": reader.text("hostname", longest=LONGEST_TEXT),
            "rule_id": reader.optional_whole("rule_id", high=LARGEST_RULE_ID),
            "alert_id": reader.id("alert_id"),
            "text": reader.text("q", longest=LONGEST_TEXT),
            "restored": reader.choice("include", ("archive",)) is not None,
        }
        asked = lists.asked(request, reader, LIST, self._cursors)
        shown = asked.fields or AuditedEvent.__struct_fields__
        columns = tuple(name for name in shown if name not in KEY)
        with self._metrics.timed("audit_search"):
            page = await self._searches.audit(AuditSearch(stretch=stretch_of(asked, times), columns=columns, **filters))
        return lists.answer_rows(asked, [_shown(row, shown) for row in page.items], page.next, self._cursors)


def _shown(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _member(row, name) for name in names}


def _member(row: Row, name: str) -> Any:
    if name == "event_id":
        return event_id(row["topic"], row["partition"], row["offset"])
    value = row[name]
    return plain_uuid(value) if isinstance(value, uuid.UUID) else value
