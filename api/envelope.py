"""What every request goes through: ids, version headers, metrics, and the gate before the routes."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import refusal
from api.metrics import NO_ROUTE, ApiMetrics
from api.problems import error_response
from api.versions import ApiVersion, accepts, asked_version, headers_of, version_of
from schemas.secrets import Secret

Now = Callable[[], dt.datetime]

MAX_TARGET = 8 * 1024
"""Bytes of path and query."""
MAX_HEADERS = 32 * 1024
"""Bytes of all header names and values."""

_CORRELATION = re.compile(r"[\x21-\x7e]{1,64}")
_SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class Envelope:
    """Outermost: puts ids and version headers on every answer, 500 included, and counts it."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, routes: Sequence[Route]) -> None:
        self._app = app
        self._endpoints = [(route.path, route.path_regex) for route in routes]
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ids = {"request_id": str(uuid.uuid4()), "correlation_id": correlation_id(Headers(scope=scope))}
        scope["state"] = {**scope.get("state", {}), **ids}
        named = {"X-Request-ID": ids["request_id"], "X-Correlation-ID": ids["correlation_id"], **_SAFE}
        named |= headers_of(version_of(scope["path"]), scope["path"])
        started, status = perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(named)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            self._metrics.answered(self._endpoint(scope), status, perf_counter() - started)

    def _endpoint(self, scope: Scope) -> str:
        """The template of the route, for requests that the gate refused too."""
        return next((path for path, pattern in self._endpoints if pattern.match(scope["path"])), NO_ROUTE)


def correlation_id(headers: Headers) -> str:
    """The caller's id where it is 1 to 64 visible ASCII characters and given once, else a new one."""
    given = headers.getlist("x-correlation-id")
    return given[0] if len(given) == 1 and _CORRELATION.fullmatch(given[0]) else str(uuid.uuid4())


class Gate:
    """Refuses before any route is looked up: what is too large, over, asked for in a wrong version, or without key."""

    def __init__(self, app: ASGIApp, key: Secret | None, now: Now) -> None:
        self._app = app
        self._key = key
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refused(scope) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        if found := _too_large(scope) or self._gone(scope) or self._locked(scope):
            status, detail = found
            response = error_response(scope["path"], scope["state"]["correlation_id"], status, detail)
            if status == 401:
                response.headers["WWW-Authenticate"] = "Bearer"
            return response
        return None

    def _gone(self, scope: Scope) -> tuple[int, str] | None:
        version = version_of(scope["path"])
        if version.is_over(self._now()):
            return 410, f"version {version.name} of the API has ended"
        asked = asked_version(Headers(scope=scope), QueryParams(scope["query_string"]))
        return None if accepts(version, asked) else (406, _offered(version))

    def _locked(self, scope: Scope) -> tuple[int, str] | None:
        if not scope["path"].startswith("/api/"):
            return None
        why = refusal(Headers(scope=scope), QueryParams(scope["query_string"]), self._key)
        return (401, why) if why else None


def _offered(version: ApiVersion) -> str:
    return f"this path answers version {version.name}; it may be asked for as {', '.join(sorted(version.asked_as))}"


def _too_large(scope: Scope) -> tuple[int, str] | None:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    target: Any = scope.get("raw_path") or scope["path"].encode()
    if len(target) + len(scope["query_string"]) > MAX_TARGET:
        return 414, f"path and query are longer than {MAX_TARGET} bytes"
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS:
        return 431, f"the headers are larger than {MAX_HEADERS} bytes"
    return None
