"""GET /api/v2/unhandled: what no rule matches, by host and kind of message, each with a pattern that would."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import lists
from api.cursors import Cursors
from api.host_lists import HostText
from api.lists import Listing
from api.metrics import ApiMetrics
from api.queries import QueryReader, text_up_to
from api.routes import ApiRoute, Parameter
from schemas.events import HOSTNAME_LIMIT
from schemas.rules import MatchType
from schemas.scopes import Scope
from streams.adapters.unhandled import UnhandledQuery, UnhandledReads, UnhandledSignature
from streams.core.signatures import SAMPLE_CHARACTERS
from streams.core.suggestions import suggested

PATH = "/api/v2/unhandled"

Text = Annotated[str, text_up_to(SAMPLE_CHARACTERS)]


class Unhandled(Struct, frozen=True, kw_only=True):
    """One kind of message of one host: numbers and ids do not count. It is told from its second event on."""

    id: str
    topic: str
    partition: int
    hostname: str
    template: str
    sample: str
    events: int
    """Within its window."""
    window_started_at: dt.datetime
    last_seen_at: dt.datetime
    alerted: bool
    """Whether its window has raised the alert for what no rule handles."""
    match_type: MatchType
    """Of a rule that would match it, numbers and ids aside."""
    match_string: str


FILTERS = (
    Parameter("hostname", "Of this host.", HostText, example="core-1"),
    Parameter("q", "Part of the message, in any case.", Text),
)
LIST = Listing(
    item=Unhandled, sorts={"events": "count", "last_seen_at": "last_seen_at"}, default="-events", filters=FILTERS
)


class UnhandledSignatures:
    def __init__(self, reads: UnhandledReads, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._reads = reads
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(
            method="GET",
            path=PATH,
            endpoint=self.list,
            scope=Scope.EVENTS_READ,
            summary="What no rule matches, the most frequent first",
            query=LIST.query,
            answer=LIST.answer,
            errors=(400,),
        )
        return (get,)

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        filters: dict[str, Any] = {
            "hostname": reader.text("hostname", longest=HOSTNAME_LIMIT),
            "text": reader.text("q", longest=SAMPLE_CHARACTERS),
        }
        asked = lists.asked(request, reader, LIST, self._cursors)
        with self._metrics.timed("unhandled"):
            query = UnhandledQuery(**filters, sort=asked.sort)
            page = await self._reads.page(query, after=asked.after, limit=asked.limit)
        return lists.answer(asked, map(_shown, page.items), page.next, self._cursors)


def _shown(seen: UnhandledSignature) -> Unhandled:
    match_type, match_string = suggested(seen.sample)
    return Unhandled(
        id=seen.id,
        topic=seen.topic,
        partition=seen.partition,
        hostname=seen.hostname,
        template=seen.template,
        sample=seen.sample,
        events=seen.count,
        window_started_at=seen.window_started_at,
        last_seen_at=seen.last_seen_at,
        alerted=seen.alerted,
        match_type=match_type,
        match_string=match_string,
    )
