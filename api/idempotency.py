"""Idempotency-Key on every POST of v2: sent again it gets the answer it got, and nothing happens twice."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from api.bodies import bounded
from api.metrics import ApiMetrics, Outcome
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, JsonResponse, Problem
from api.routes import MOST_BODY, ApiRoute, Endpoint, Parameter, Resource
from api.versions import V2
from schemas.errors import TooSlow, Unavailable
from streams.core.authors import Hold
from streams.core.idempotency import (
    LEASE,
    AnswerLost,
    Begun,
    IdempotencyStore,
    InFlight,
    KeptAnswer,
    KeyedRequest,
    OtherRequest,
    is_key,
    keyed,
)

log = structlog.get_logger()

NAME = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
HEADER = Parameter(
    NAME,
    "1 to 255 visible ASCII characters that stand for this one request. Sent again within 24 hours with the same "
    "body, it gets the same answer and changes nothing.",
    Annotated[str, Meta(min_length=1, max_length=255, pattern="^[!-~]+$")],
    example="3f1c2a90-9d0e-4a53-8f0e-2f9d4b0f6c11",
)
RUN_S = LEASE.total_seconds() - 10.0
"""What takes longer is given up, before its key could be another's."""

IN_HAND = "a request with this Idempotency-Key is in hand"
LOST = "the request was done, its answer was lost; it is not done again: read what is there"
REUSED = "this Idempotency-Key was used for another request"


class ShownOnce(JsonResponse):
    """An answer with a secret in it. Who asks again gets `kept`, which has none: nothing secret is stored (I9)."""

    def __init__(self, shown: object, kept: object, *, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(shown, status, headers=headers)
        self.kept = msgspec.json.encode(kept)


class Repeatable:
    """Implements Resource around another: its POST routes of v2 take the header."""

    def __init__(self, resource: Resource, store: IdempotencyStore, metrics: ApiMetrics) -> None:
        self._resource = resource
        self._store = store
        self._outcomes = {outcome: metrics.idempotency.labels(outcome.value) for outcome in Outcome}

    def routes(self) -> tuple[ApiRoute, ...]:
        return tuple(map(self._repeatable, self._resource.routes()))

    def _repeatable(self, route: ApiRoute) -> ApiRoute:
        if route.method != "POST" or route.version is not V2:
            return route
        errors = tuple(sorted({*route.errors, 409, 422}))
        return replace(
            route,
            endpoint=partial(self._answer, route.endpoint),
            headers=(*route.headers, HEADER),
            errors=errors,
        )

    async def _answer(self, endpoint: Endpoint, request: Request) -> Response:
        key = _key_of(request)
        if key is None:
            return await endpoint(request)
        body = await bounded(request, MOST_BODY)
        asked = keyed(request.state.client.id, key, _target(request), body)
        found = await self._store.begin(asked)
        if isinstance(found, Begun):
            self._outcomes[Outcome.BEGUN].inc()
            request.state.hold = Hold(asked.client, asked.key, found.lease)
            return await self._run(asked, found.lease, endpoint, _with(body, request))
        if isinstance(found, KeptAnswer):
            self._outcomes[Outcome.REPLAYED].inc()
            return _replayed(found)
        if isinstance(found, InFlight):
            self._outcomes[Outcome.IN_FLIGHT].inc()
            raise Problem(ProblemType.IN_FLIGHT, IN_HAND, headers={"Retry-After": str(found.retry_after_s)})
        if isinstance(found, AnswerLost):
            self._outcomes[Outcome.LOST].inc()
            raise Problem(ProblemType.CONFLICT, LOST)
        assert isinstance(found, OtherRequest)
        self._outcomes[Outcome.REUSED].inc()
        raise Problem(ProblemType.KEY_REUSED, REUSED, errors=[Fault(REUSED, parameter=NAME)])

    async def _run(self, asked: KeyedRequest, lease: uuid.UUID, endpoint: Endpoint, request: Request) -> Response:
        """What is answered is kept. What is refused, or fails, may be tried again with its key, if nothing was done."""
        try:
            async with asyncio.timeout(RUN_S) as limit:
                response = await endpoint(request)
        except Exception as error:
            with suppress(Unavailable):
                await self._store.release(asked, lease)
            if isinstance(error, TimeoutError) and limit.expired():
                raise TooSlow(f"not done within {RUN_S:g} s") from error
            raise
        await self._settle(asked, lease, response)
        return response

    async def _settle(self, asked: KeyedRequest, lease: uuid.UUID, response: Response) -> None:
        """It is done, so the caller hears of it even where that cannot be kept."""
        try:
            if response.status_code < 500:
                await self._store.settle(asked, lease, _kept(response))
            else:
                await self._store.release(asked, lease)
        except Unavailable as error:
            log.warning("answer not kept", path=asked.request, error=str(error))


def _key_of(request: Request) -> str | None:
    given = request.headers.getlist(NAME)
    if not given:
        return None
    if len(given) != 1 or not is_key(given[0]):
        raise Invalid([Fault(f"{NAME} must be given once, as 1 to 255 visible ASCII characters", parameter=NAME)])
    return given[0]


def _target(request: Request) -> str:
    """Method, path and query, as they stand for one request."""
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.method} {request.scope['path']}" + (f"?{query}" if query else "")


def _with(body: bytes, request: Request) -> Request:
    """The request once more, with the body that was read from it."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


def _kept(response: Response) -> KeptAnswer:
    body = response.kept if isinstance(response, ShownOnce) else bytes(response.body)
    headers = tuple((name, value) for name, value in response.headers.items() if name != "content-length")
    return KeptAnswer(response.status_code, headers, body)


def _replayed(answer: KeptAnswer) -> Response:
    headers: dict[str, Any] = dict(answer.headers) | {REPLAYED: "true"}
    return Response(answer.body, answer.status, headers)
