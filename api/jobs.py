"""/api/v2/jobs: what goes on beside its caller: replays of dead letters, with their progress."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import lists
from api.cursors import Cursors
from api.lists import Listing
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.queries import QueryReader
from api.routes import ApiRoute
from api.stretches import TIMES, read_times, stretch_of
from schemas.scopes import Scope
from streams.adapters import replay_jobs
from streams.adapters.replay_jobs import ReplayJobs
from streams.core.jobs import JobState

PATH = "/api/v2/jobs"
NO_JOB = "there is no such job"


class Job(Struct, frozen=True, kw_only=True):
    """A replay. A job that is `interrupted` goes on by itself where it was ordered over the API."""

    id: uuid.UUID
    kind: str
    state: JobState
    actor: str
    reason: str | None
    filter: dict[str, Any]
    limit: int | None
    rate: float | None
    selected: int
    """Letters looked at so far."""
    total: int | None
    """Letters it will have looked at in the end, beyond 100,000 an estimate; null in lists, and once it is finished."""
    sent: int
    refused: int
    came_back: int | None
    """Letters that failed again, where that is followed."""
    problem: str | None
    """Why it stopped last."""
    created_at: dt.datetime
    finished_at: dt.datetime | None


LIST = Listing(item=Job, sorts={"created_at": "created_at"}, default="-created_at", filters=TIMES)


class Jobs:
    def __init__(self, jobs: ReplayJobs, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._jobs = jobs
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        return (
            ApiRoute(
                method="GET",
                path=PATH,
                endpoint=self.list,
                scope=Scope.DLQ_READ,
                summary="Jobs, newest first",
                query=LIST.query,
                answer=LIST.answer,
            ),
            ApiRoute(
                method="GET",
                path=PATH + "/{id:uuid}",
                endpoint=self.show,
                scope=Scope.DLQ_READ,
                summary="One job and its progress",
                answer=Job,
            ),
        )

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        times = read_times(reader)
        asked = lists.asked(request, reader, LIST, self._cursors)
        with self._metrics.timed("jobs"):
            page = await self._jobs.page(stretch_of(asked, times))
        return lists.answer(asked, map(shown_job, page.items), page.next, self._cursors)

    async def show(self, request: Request) -> Response:
        with self._metrics.timed("jobs"):
            found = await self._jobs.get(request.path_params["id"])
        if found is None:
            raise Problem(ProblemType.NOT_FOUND, NO_JOB)
        return JsonResponse(shown_job(found))


def shown_job(job: replay_jobs.Job) -> Job:
    replay = job.replay
    return Job(
        id=replay.id,
        kind="replay",
        state=job.state,
        actor=replay.actor,
        reason=replay.reason,
        filter=msgspec.to_builtins(replay.chosen),
        limit=replay.bounds.most,
        rate=replay.bounds.per_second,
        selected=replay.selected,
        total=job.total,
        sent=replay.sent,
        refused=replay.refused,
        came_back=replay.came_back,
        problem=replay.problem,
        created_at=replay.created_at,
        finished_at=replay.finished_at,
    )
