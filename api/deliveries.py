"""GET /api/v2/deliveries: alerts and how their delivery stands."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any

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
from schemas.alerts import AlertState
from schemas.events import event_id
from schemas.rows import plain_uuid
from schemas.scopes import Scope
from streams.core.searches import DeliverySearch, Row, Searches

LONGEST_TEXT = 255
LARGEST_RULE_ID = 2**31 - 1

Text = Annotated[str, text_up_to(LONGEST_TEXT)]


class Delivery(Struct, frozen=True, kw_only=True):
    """One alert."""

    id: uuid.UUID
    """Also the receiver's `webhook-id`."""
    state: AlertState
    attempts: int
    last_status: int | None
    last_error: str | None
    event_id: str
    kind: str
    hostname: str
    severity: int
    """0 clear to 5 critical."""
    rule_id: int | None
    rule_version: int | None
    team: str
    handling: str
    broker_time: dt.datetime
    created_at: dt.datetime
    published_at: dt.datetime | None
    first_attempt_at: dt.datetime | None
    last_attempt_at: dt.datetime | None
    settled_at: dt.datetime | None


FILTERS = (
    Parameter("state", "How it stands.", AlertState, example="pending"),
    Parameter("hostname", "Alerts of this host.", Text, example="core-1"),
    Parameter("rule_id", "Alerts of this rule.", Annotated[int, Meta(ge=1, le=LARGEST_RULE_ID)]),
    Parameter("team", "Alerts of this team.", Text),
    *TIMES,
)
LIST = Listing(item=Delivery, sorts={"created_at": "created_at"}, default="-created_at", filters=FILTERS)


class Deliveries:
    def __init__(self, searches: Searches, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._searches = searches
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(
            method="GET",
            path="/api/v2/deliveries",
            endpoint=self.get,
            scope=Scope.EVENTS_READ,
            summary="Alerts and their deliveries, newest first",
            description=SHORT_PAGES,
            query=LIST.query,
            answer=LIST.answer,
        )
        return (get,)

    async def get(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        times = read_times(reader)
        filters: dict[str, Any] = {
            "state": reader.choice("state", tuple(AlertState)),
            "hostname": reader.text("hostname", longest=LONGEST_TEXT),
            "rule_id": reader.optional_whole("rule_id", high=LARGEST_RULE_ID),
            "team": reader.text("team", longest=LONGEST_TEXT),
        }
        asked = lists.asked(request, reader, LIST, self._cursors)
        with self._metrics.timed("deliveries"):
            page = await self._searches.deliveries(DeliverySearch(stretch=stretch_of(asked, times), **filters))
        return lists.answer(asked, map(_shown, page.items), page.next, self._cursors)


def _shown(row: Row) -> Delivery:
    members = {name: row[name] for name in Delivery.__struct_fields__ if name not in ("id", "event_id", "state")}
    return Delivery(
        id=plain_uuid(row["id"]),
        state=AlertState(row["state"]),
        event_id=event_id(row["topic"], row["partition"], row["offset"]),
        **members,
    )
