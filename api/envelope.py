"""What every request goes through first: where its path leads, ids, version headers, metrics."""

from __future__ import annotations

import os
import re
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.compression import EVENTS
from api.head import Head
from api.metrics import NO_ROUTE, ApiMetrics
from api.routes import ApiRoute, Found, Table
from api.versions import RawHeaders, link_to, raw_headers_of, successor_of, version_of
from streams.logs import IN_HAND

_CORRELATION = re.compile(r"[\x21-\x7e]{1,64}")
_SAFE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""Where an answer says nothing else."""
_EVENTS = EVENTS.encode()
_SAFE_NAMES = [name for name, _ in _SAFE]

CERTIFIED = "certified"
"""In the state of a request: whether its connection showed a certificate that was verified."""


class Envelope:
    """Outermost: puts ids and version headers on every answer, 500 included, and counts it."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, table: Table) -> None:
        self.table = table
        self._app = app
        self._metrics = metrics
        metrics.expect(place.path for place in table.places)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Below it, `scope["state"]` has the ids, `head` (a Head), `found` (where the path leads) and `route` (what
        stands there for the method), both None where nothing is; and `certified`."""
        head, request_id = Head(scope["headers"]), os.urandom(16).hex()
        ids = {"request_id": request_id, "correlation_id": correlation_id(head) or request_id}
        found = self.table.find(scope["path"])
        route = found.place.route(scope["method"]) if found else None
        certified = CERTIFIED in scope.get("state", ())
        scope["state"] = {**ids, "head": head, "found": found, "route": route, CERTIFIED: certified}
        started, status, took = perf_counter(), 500, None

        async def answer(message: Message) -> None:
            nonlocal status, took
            if message["type"] == "http.response.start":
                status = message["status"]
                took = perf_counter() - started if _lasts(message["headers"]) else None
                message["headers"] = _with_ours(message["headers"], ids, _versions(scope["path"], found, route))
            await send(message)

        token = IN_HAND.set(ids)
        try:
            await self._app(scope, receive, answer)
        finally:
            IN_HAND.reset(token)
            self._metrics.answered(found.place.path if found else NO_ROUTE, status, took or perf_counter() - started)


def _lasts(headers: RawHeaders) -> bool:
    """Whether it goes on for as long as its reader looks on: how long that is says nothing of us."""
    return any(name == b"content-type" and value.startswith(_EVENTS) for name, value in headers)


def _with_ours(given: RawHeaders, ids: dict[str, str], versions: RawHeaders) -> RawHeaders:
    """On raw headers, since every answer comes through here."""
    names = {name for name, _ in given}
    return (
        *given,
        (b"x-request-id", ids["request_id"].encode()),
        (b"x-correlation-id", ids["correlation_id"].encode()),
        *versions,
        *(_SAFE if names.isdisjoint(_SAFE_NAMES) else [pair for pair in _SAFE if pair[0] not in names]),
    )


def _versions(path: str, found: Found | None, route: ApiRoute | None) -> RawHeaders:
    if found is None:
        version = version_of(path)
        return raw_headers_of(version, version.lifetime) + link_to(successor_of(version, path))
    route = route or found.place.any_route
    return route.said + link_to(found.successor(route)) if route.lifetime.deprecated else route.said


def correlation_id(head: Head) -> str | None:
    """The caller's id where it is 1 to 64 visible ASCII characters and given once."""
    given = head.only(b"x-correlation-id")
    return given if given is not None and _CORRELATION.fullmatch(given) else None
