"""/api/v2/dead-letters: what could not be processed: list and show."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import lists
from api.cursors import Cursors
from api.letter_choice import LONGEST_TEXT, Text
from api.lists import Listing
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from api.stretches import SHORT_PAGES, TIMES, read_times, stretch_of
from schemas.dead_letters import LetterState, Reason, Replayable, Stage
from schemas.scopes import Scope
from streams.adapters.letter_log import LogEntry
from streams.adapters.letter_searches import LetterSearches
from streams.core.letter_documents import letter_json
from streams.core.replay import StoredLetter
from streams.core.searches import LetterSearch

PATH = "/api/v2/dead-letters"
NO_LETTER = "there is no such dead letter"


class Letter(Struct, frozen=True, kw_only=True):
    """One dead letter, without its bytes."""

    id: uuid.UUID
    reason: Reason
    stage: Stage
    state: LetterState
    detail: str
    topic: str
    partition: int
    offset: int
    event_id: str
    timestamp: int
    """The record's broker time, ms since the epoch."""
    hostname: str | None
    rule_id: int | None
    alert_id: uuid.UUID | None
    attempts: int
    replays: int
    replay_id: uuid.UUID | None
    first_failed_at: dt.datetime
    last_failed_at: dt.datetime
    replayed_at: dt.datetime | None
    parked_at: dt.datetime | None
    replay_of: uuid.UUID | None
    edits: int
    published_at: dt.datetime | None
    value_size: int | None
    replayable: Replayable
    means: str
    who_fixes: str


class Bytes(Struct, frozen=True):
    """Bytes as they are, and as text where they are UTF-8."""

    base64: str
    text: str | None


class Header(Struct, frozen=True):
    name: Bytes
    value: Bytes | None


class LetterEvent(Struct, frozen=True):
    """One thing that was done to a letter."""

    at: dt.datetime
    actor: str
    action: str
    note: str | None
    replay_id: uuid.UUID | None
    diff: str | None


class WholeLetter(Letter, frozen=True, kw_only=True):
    """One dead letter with its bytes and its history, oldest first."""

    key: Bytes | None
    value: Bytes | None
    edited_value: Bytes | None
    """What a replay sends instead, where it was edited."""
    headers: list[Header]
    history: list[LetterEvent]


FILTERS = (
    Parameter("reason", "Why it is one.", Reason, example="shed"),
    Parameter("stage", "Where it failed.", Stage),
    Parameter("state", "How it stands; without it, all but purged ones.", LetterState, example="open"),
    Parameter("hostname", "Of this host.", Text),
    Parameter("topic", "From this topic.", Text),
    *TIMES,
)
LIST = Listing(item=Letter, sorts={"first_failed_at": "first_failed_at"}, default="-first_failed_at", filters=FILTERS)


class DeadLetters:
    def __init__(self, letters: LetterSearches, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._letters = letters
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        return (
            ApiRoute(
                method="GET",
                path=PATH,
                endpoint=self.list,
                scope=Scope.DLQ_READ,
                summary="Dead letters, newest first",
                description=SHORT_PAGES,
                query=LIST.query,
                answer=LIST.answer,
            ),
            ApiRoute(
                method="GET",
                path=PATH + "/{id:uuid}",
                endpoint=self.show,
                scope=Scope.DLQ_READ,
                summary="One dead letter, whole",
                answer=WholeLetter,
            ),
        )

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        times = read_times(reader)
        filters: dict[str, Any] = {
            "reason": reader.choice("reason", tuple(Reason)),
            "stage": reader.choice("stage", tuple(Stage)),
            "state": reader.choice("state", tuple(LetterState)),
            "hostname": reader.text("hostname", longest=LONGEST_TEXT),
            "topic": reader.text("topic", longest=LONGEST_TEXT),
        }
        asked = lists.asked(request, reader, LIST, self._cursors)
        with self._metrics.timed("dead_letters"):
            page = await self._letters.page(LetterSearch(stretch=stretch_of(asked, times), **filters))
        return lists.answer(asked, map(_shown, page.items), page.next, self._cursors)

    async def show(self, request: Request) -> Response:
        with self._metrics.timed("dead_letters"):
            found = await self._letters.get(request.path_params["id"])
        if found is None:
            raise Problem(ProblemType.NOT_FOUND, NO_LETTER)
        return JsonResponse(_whole(*found))


def _shown(stored: StoredLetter) -> Letter:
    return msgspec.convert(letter_json(stored), Letter)


def _whole(stored: StoredLetter, entries: list[LogEntry]) -> WholeLetter:
    letter = stored.letter
    return WholeLetter(
        **{name: getattr(_shown(stored), name) for name in Letter.__struct_fields__},
        key=_bytes(letter.key),
        value=_bytes(letter.value),
        edited_value=_bytes(stored.edited_value),
        headers=[Header(_some(name), _bytes(value)) for name, value in letter.headers],
        history=[LetterEvent(e.at, e.actor, e.action, e.note, e.replay_id, e.diff) for e in entries],
    )


def _bytes(data: bytes | None) -> Bytes | None:
    return None if data is None else _some(data)


def _some(data: bytes) -> Bytes:
    try:
        text: str | None = data.decode()
    except UnicodeDecodeError:
        text = None
    return Bytes(base64.b64encode(data).decode(), text)
