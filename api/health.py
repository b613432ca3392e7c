"""GET /health, /ready and /metrics: does the process live, can it work, what does it count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Any

import structlog
from msgspec import Struct
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from api.envelope import CERTIFIED
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import RETRY_AFTER_S, JsonResponse, Problem
from api.routes import ApiRoute, Endpoint
from schemas.errors import MigrationRefused, Unavailable, words
from schemas.versions import MUTT_VERSION
from streams.adapters.listening import OPEN, MetricsDoor

log = structlog.get_logger()

Check = Callable[[], Awaitable[None]]
"""Returns when the part works; raises Unavailable or MigrationRefused."""

CHECK_S = 3.0
FRESH_S = 5.0
"""How long an answer of the checks holds, so that nobody can make the servers busy by asking."""

SERVICE = "api"


class State(StrEnum):
    """Of a part the API needs. The reasons are for the log: they may name hosts and users."""

    UP = "up"
    DOWN = "down"
    SCHEMA = "schema not current"


@dataclass(frozen=True, slots=True)
class Finding:
    state: State
    latency_ms: float


class Readiness:
    """Asks every part at once, at most every few seconds, however many ask."""

    def __init__(self, checks: Mapping[str, Check], clock: Callable[[], float] = monotonic) -> None:
        self._checks = checks
        self._clock = clock
        self._asking = asyncio.Lock()
        self._found: dict[str, Finding] = {}
        self._at: float | None = None

    async def findings(self) -> dict[str, Finding]:
        async with self._asking:
            if self._at is None or self._clock() - self._at >= FRESH_S:
                found = await asyncio.gather(*(_look(name, check) for name, check in self._checks.items()))
                self._found, self._at = dict(zip(self._checks, found, strict=True)), self._clock()
            return self._found


async def _look(name: str, check: Check) -> Finding:
    started = monotonic()
    state = State.UP
    try:
        async with asyncio.timeout(CHECK_S):
            await check()
    except (Unavailable, TimeoutError) as error:
        log.warning("not ready", part=name, error=words(error))
        state = State.DOWN
    except MigrationRefused as error:
        log.warning("not ready", part=name, error=str(error))
        state = State.SCHEMA
    return Finding(state, round((monotonic() - started) * 1000, 1))


class Alive(Struct, frozen=True):
    status: str
    service: str
    version: str


class Part(Struct, frozen=True):
    """Something the API needs."""

    state: State
    latency_ms: float


class Ready(Struct, frozen=True):
    status: str
    service: str
    checks: dict[str, Part]


class Health:
    def __init__(self, readiness: Readiness, metrics: ApiMetrics, door: MetricsDoor = OPEN) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._door = door

    def routes(self) -> tuple[ApiRoute, ...]:
        return (
            _probe("/health", self.health, "Does the process live", answer=Alive),
            _probe("/ready", self.ready, "Can it work: each part it needs", answer=Ready, errors=(503,)),
            _probe(
                "/metrics", self.metrics, "Its metrics, for Prometheus", gives=(CONTENT_TYPE_LATEST,), errors=(401,)
            ),
        )

    async def health(self, _: Request) -> Response:
        return JsonResponse(Alive("healthy", SERVICE, MUTT_VERSION))

    async def ready(self, _: Request) -> Response:
        found = await self._readiness.findings()
        works = all(finding.state is State.UP for finding in found.values())
        checks = {name: Part(part.state, part.latency_ms) for name, part in found.items()}
        body = Ready("ready" if works else "not ready", SERVICE, checks)
        return JsonResponse(body, 200 if works else 503, headers={} if works else {"Retry-After": str(RETRY_AFTER_S)})

    async def metrics(self, request: Request) -> Response:
        state = request.scope["state"]
        if not self._door.opens(state["head"].only(b"authorization"), certified=state[CERTIFIED]):
            detail = "the metrics need a token of their own, or a certificate"
            raise Problem(ProblemType.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _probe(path: str, endpoint: Endpoint, summary: str, **more: Any) -> ApiRoute:
    return ApiRoute(method="GET", path=path, endpoint=endpoint, scope=None, summary=summary, **more)
