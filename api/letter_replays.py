"""POST /api/v2/dead-letters/replay: dead letters are sent again, as a job."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies
from api.authors import author_of
from api.dead_letters import PATH
from api.jobs import Job, shown_job
from api.letter_choice import LetterChoice, chosen_letters
from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.routes import ApiRoute
from schemas.scopes import Scope
from streams.adapters.rehearsals import Rehearsals
from streams.adapters.replay_claims import Bounds
from streams.adapters.replay_jobs import ReplayJobs
from streams.adapters.replay_runner import ReplayRunner
from streams.core.rehearsal import Rehearsal


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


EXAMPLE = {"filter": {"reasons": ["shed"]}, "limit": 1000, "dry_run": True, "reason": "the receiver is back"}


class LetterReplays:
    def __init__(self, rehearsals: Rehearsals, jobs: ReplayJobs, runner: ReplayRunner, metrics: ApiMetrics) -> None:
        self._rehearsals = rehearsals
        self._jobs = jobs
        self._runner = runner
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        post = ApiRoute(
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
        )
        return (post,)

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


def _rehearsed(found: Rehearsal, *, complete: bool) -> ReplayDryRun:
    return ReplayDryRun(
        would_send=found.would_send,
        would_become=dict(found.would),
        refused={why.value: count for why, count in found.refused.items()},
        complete=complete,
        letters=found.letters,
        refused_letters=found.refused_letters,
    )
