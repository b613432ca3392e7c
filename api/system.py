"""GET /api/v2/system: what is in order and what is not, versions, migrations, topics and runs of retention."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api.fresh import Fresh
from api.gate import Now
from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.queries import QueryReader
from api.routes import ApiRoute
from schemas.scopes import Scope
from schemas.versions import API_CURRENT, API_SUPPORTED, MUTT_VERSION
from streams.adapters.system import Applied, RetentionRun, SystemReads, SystemState
from streams.core.health_checks import Finding, TopicReading

PATH = "/api/v2/system"
HOLDS_S = 10.0


class SystemAnswer(Struct, frozen=True, kw_only=True):
    as_of: dt.datetime
    mutt_version: str
    api_version: str
    api_versions: tuple[str, ...]
    findings: list[Finding]
    """What `mutt doctor` finds."""
    topics: list[TopicReading]
    migrations: list[Applied]
    retention_runs: list[RetentionRun]


class SystemOfAll:
    """All who ask within some seconds get the same: Kafka is asked for every topic."""

    def __init__(self, reads: SystemReads, metrics: ApiMetrics, now: Now) -> None:
        self._reads = reads
        self._metrics = metrics
        self._now = now
        self._found = Fresh(self._read, holds_s=HOLDS_S)

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(
            method="GET",
            path=PATH,
            endpoint=self.get,
            scope=Scope.CONFIG_READ,
            summary="What is in order and what is not: settings, topics, migrations, retention",
            answer=SystemAnswer,
        )
        return (get,)

    async def get(self, request: Request) -> Response:
        QueryReader(request.query_params).finish()
        return JsonResponse(await self._found.get())

    async def _read(self) -> SystemAnswer:
        with self._metrics.timed("system"):
            return _shown(await self._reads.read(), self._now())


def _shown(state: SystemState, now: dt.datetime) -> SystemAnswer:
    return SystemAnswer(
        as_of=now,
        mutt_version=MUTT_VERSION,
        api_version=API_CURRENT,
        api_versions=API_SUPPORTED,
        findings=state.findings,
        topics=state.topics,
        migrations=state.migrations,
        retention_runs=state.runs,
    )
