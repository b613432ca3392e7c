"""/api/v2/dead-letters: what could not be processed: list, show, and replay as a job."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, lists
from api.authors import author_of
from api.cursors import Cursors
from api.jobs import Job, shown_job
from api.lists import Listing
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, JsonResponse, Problem
from api.queries import QueryReader, text_up_to
from api.routes import ApiRoute, Parameter
from api.stretches import SHORT_PAGES, TIMES, read_times, stretch_of
from schemas.dead_letters import LetterState, Reason, Replayable, Stage
from schemas.scopes import Scope
from streams.adapters.letter_log import LogEntry
from streams.adapters.letter_searches import LetterSearches
from streams.adapters.rehearsals import Rehearsals
from streams.adapters.replay_claims import Bounds
from streams.adapters.replay_jobs import ReplayJobs
from streams.adapters.replay_runner import ReplayRunner
from streams.core.letter_documents import letter_json
from streams.core.rehearsal import Rehearsal
from streams.core.replay import LetterFilter, StoredLetter
from streams.core.searches import LetterSearch

PATH = "/api/v2/dead-letters"
LONGEST_TEXT = 255
MOST_VALUES = 1000
NO_LETTER = "there is no such dead letter"

Text = Annotated[str, text_up_to(LONGEST_TEXT)]


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


class LetterChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """Which letters; what is not given does not restrict, but something must be. Times are of the first failure."""

    reasons: Annotated[list[Reason], Meta(max_length=MOST_VALUES)] = []
    stages: Annotated[list[Stage], Meta(max_length=MOST_VALUES)] = []
    hosts: Annotated[list[Text], Meta(max_length=MOST_VALUES)] = []
    topics: Annotated[list[Text], Meta(max_length=MOST_VALUES)] = []
    ids: Annotated[list[uuid.UUID], Meta(max_length=MOST_VALUES)] = []
    since: dt.datetime | None = None
    until: dt.datetime | None = None


class ReplayOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Send open letters again, byte for byte, to where they came from."""

    filter: LetterChoice
    limit: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    """Send at most so many."""
    rate: Annotated[float, Meta(ge=0.01, le=1_000_000)] | None = None
    """Send at most so many a second."""
    dry_run: bool = False
    """Only say what would be sent."""
    reason: Annotated[str, Meta(max_length=1000)] | None = None
    """Why, for the record."""


class ReplayDryRun(Struct, frozen=True):
    """What a replay would do by the rules of now."""

    would_send: int
    would_become: dict[str, int]
    refused: dict[str, int]
    complete: bool
    """Whether every letter of the filter was looked at."""
    letters: list[dict[str, Any]]
    """Examples."""
    refused_letters: list[dict[str, Any]]


class ReplayAnswer(Struct, frozen=True):
    """The job that was begun, or what it would do."""

    job: Job | None
    dry_run: ReplayDryRun | None


FILTERS = (
    Parameter("reason", "Why it is one.", Reason, example="shed"),
    Parameter("stage", "Where it failed.", Stage),
    Parameter("state", "How it stands; without it, all but purged ones.", LetterState, example="open"),
    Parameter("hostname", "Of this host.", Text),
    Parameter("topic", "From this topic.", Text),
    *TIMES,
)
LIST = Listing(item=Letter, sorts={"first_failed_at": "first_failed_at"}, default="-first_failed_at", filters=FILTERS)
EXAMPLE = {"filter": {"reasons": ["shed"]}, "limit": 1000, "dry_run": True, "reason": "the receiver is back"}


class DeadLetters:
    def __init__(
        self,
        letters: LetterSearches,
        rehearsals: Rehearsals,
        jobs: ReplayJobs,
        runner: ReplayRunner,
        *,
        cursors: Cursors,
        metrics: ApiMetrics,
    ) -> None:
        self._letters = letters
        self._rehearsals = rehearsals
        self._jobs = jobs
        self._runner = runner
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
                method="POST",
                path=PATH + "/replay",
                endpoint=self.replay,
                scope=Scope.DLQ_WRITE,
                summary="Replay dead letters",
                description="As a job, whose progress `/api/v2/jobs/{id}` tells; with `dry_run` nothing is begun.",
                body=ReplayOrder,
                example=EXAMPLE,
                answer=ReplayAnswer,
                status=202,
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

    async def replay(self, request: Request) -> Response:
        order = await bodies.read(request, ReplayOrder)
        chosen = chosen_letters(order.filter)
        if order.dry_run:
            with self._metrics.timed("dry_run"):
                rehearsal, complete = await self._rehearsals.of(chosen, order.limit)
            return JsonResponse(ReplayAnswer(None, _rehearsed(rehearsal, complete=complete)), 202)
        with self._metrics.timed("replay"):
            job = await self._jobs.begin(author_of(request, order.reason), chosen, Bounds(order.limit, order.rate))
        self._runner.wake()
        headers = {"Location": f"/api/v2/jobs/{job.replay.id}"}
        return JsonResponse(ReplayAnswer(shown_job(job), None), 202, headers=headers)


def chosen_letters(choice: LetterChoice) -> LetterFilter:
    """Raises Invalid where it would mean every letter there is, or times do not fit."""
    faults = [
        Fault("must name its time zone", pointer=f"/filter/{name}")
        for name, moment in (("since", choice.since), ("until", choice.until))
        if moment is not None and moment.tzinfo is None
    ]
    if not faults and choice.since and choice.until and choice.since >= choice.until:
        faults.append(Fault("must lie before until", pointer="/filter/since"))
    chosen = LetterFilter(
        reasons=tuple(choice.reasons),
        stages=tuple(choice.stages),
        hosts=tuple(choice.hosts),
        topics=tuple(choice.topics),
        ids=tuple(choice.ids),
        states=(LetterState.OPEN,),
        since=choice.since,
        until=choice.until,
    )
    if chosen.is_empty:
        faults.append(Fault("must narrow the letters down", pointer="/filter"))
    if faults:
        raise Invalid(faults)
    return chosen


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


def _rehearsed(found: Rehearsal, *, complete: bool) -> ReplayDryRun:
    return ReplayDryRun(
        would_send=found.would_send,
        would_become=dict(found.would),
        refused={why.value: count for why, count in found.refused.items()},
        complete=complete,
        letters=found.letters,
        refused_letters=found.refused_letters,
    )
