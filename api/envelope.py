"""What every request goes through first: where its path leads, ids, version headers, metrics."""

from __future__ import annotations

import re
import uuid
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from api.metrics import NO_ROUTE, ApiMetrics
from api.routes import Found, Table
from api.versions import headers_of, successor_of, version_of

_CORRELATION = re.compile(r"[\x21-\x7e]{1,64}")
_SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class Envelope:
    """Outermost: puts ids and version headers on every answer, 500 included, and counts it."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, table: Table) -> None:
        self.table = table
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = self.table.find(scope["path"])
        ids = {"request_id": str(uuid.uuid4()), "correlation_id": correlation_id(Headers(scope=scope))}
        scope["state"] = {**scope.get("state", {}), **ids, "found": found}
        named = {"X-Request-ID": ids["request_id"], "X-Correlation-ID": ids["correlation_id"]}
        named |= _versions(scope["path"], scope["method"], found)
        started, status = perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(named)
                for name, value in _SAFE.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            with bound_contextvars(**ids):
                await self._app(scope, receive, answer)
        finally:
            self._metrics.answered(found.place.path if found else NO_ROUTE, status, perf_counter() - started)


def _versions(path: str, method: str, found: Found | None) -> dict[str, str]:
    version = version_of(path)
    if found is None:
        return headers_of(version, version.lifetime, successor_of(version, path))
    route = found.place.route(method) or found.place.any_route
    return headers_of(version, route.lifetime, found.successor(route))


def correlation_id(headers: Headers) -> str:
    """The caller's id where it is 1 to 64 visible ASCII characters and given once, else a new one."""
    given = headers.getlist("x-correlation-id")
    return given[0] if len(given) == 1 and _CORRELATION.fullmatch(given[0]) else str(uuid.uuid4())
