"""What every request goes through first: where its path leads, ids, version headers, metrics."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from functools import lru_cache
from time import perf_counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import NO_ROUTE, ApiMetrics
from api.routes import Found, Table
from api.versions import ApiVersion, Lifetime, headers_of, successor_of, version_of
from streams.logs import IN_HAND

_CORRELATION = re.compile(r"[\x21-\x7e]{1,64}")
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""Where an answer says nothing else."""

RawHeaders = tuple[tuple[bytes, bytes], ...]


class Envelope:
    """Outermost: puts ids and version headers on every answer, 500 included, and counts it."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, table: Table) -> None:
        self.table = table
        self._app = app
        self._metrics = metrics
        metrics.expect(place.path for place in table.places)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self.table.find(scope["path"])
        request_id = str(uuid.uuid4())
        ids = {"request_id": request_id, "correlation_id": correlation_id(Headers(scope=scope)) or request_id}
        scope["state"] = {**scope.get("state", {}), **ids, "found": found}
        named = ((b"x-request-id", request_id.encode()), (b"x-correlation-id", ids["correlation_id"].encode()))
        started, status = perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with(message["headers"], (*named, *_versions(scope, found)))
            await send(message)

        token = IN_HAND.set(ids)
        try:
            await self._app(scope, receive, answer)
        finally:
            IN_HAND.reset(token)
            self._metrics.answered(found.place.path if found else NO_ROUTE, status, perf_counter() - started)


def _with(headers: Iterable[tuple[bytes, bytes]], named: RawHeaders) -> list[tuple[bytes, bytes]]:
    """On raw headers, since every answer comes through here."""
    given = list(headers)
    present = {name for name, _ in given}
    return [*given, *named, *(pair for pair in _SAFE if pair[0] not in present)]


def _versions(scope: Scope, found: Found | None) -> RawHeaders:
    if found is None:
        version = version_of(scope["path"])
        return _raw(version, version.lifetime, successor_of(version, scope["path"]))
    route = found.place.route(scope["method"]) or found.place.any_route
    return _raw(route.version, route.lifetime, found.successor(route) if route.lifetime.deprecated else None)


@lru_cache(maxsize=256)
def _raw(version: ApiVersion, lifetime: Lifetime, successor: str | None) -> RawHeaders:
    named = headers_of(version, lifetime, successor).items()
    return tuple((name.lower().encode(), value.encode()) for name, value in named)


def correlation_id(headers: Headers) -> str | None:
    """The caller's id where it is 1 to 64 visible ASCII characters and given once."""
    given = headers.getlist("x-correlation-id")
    return given[0] if len(given) == 1 and _CORRELATION.fullmatch(given[0]) else None
