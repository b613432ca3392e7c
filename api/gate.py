"""The gate before the routes: what is too large, unreadable, of an ended version or without key or scope stops here."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from itertools import chain

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from api.auth import Authenticator, identify
from api.head import Head
from api.hosts import Hosts
from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import PUBLIC, ApiRoute, Endpoint, Found
from api.versions import ApiVersion, accepts, asked_version, version_of
from schemas.scopes import Client

Now = Callable[[], dt.datetime]

MAX_TARGET = 8 * 1024
"""Bytes of path and query."""
MAX_HEADERS = 32 * 1024
"""Bytes of all header names and values."""

NO_QUERY: Mapping[str, str] = {}
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")


class Gate:
    """An endpoint before all others. Raises Problem, or goes on, with `request.state.client` where a key is needed."""

    def __init__(self, endpoint: Endpoint, authenticator: Authenticator, hosts: Hosts, now: Now) -> None:
        self._endpoint = endpoint
        self._authenticator = authenticator
        self._hosts = hosts
        self._now = now

    async def __call__(self, request: Request) -> Response:
        scope = request.scope
        query = QueryParams(scope["query_string"]) if scope["query_string"] else NO_QUERY
        head: Head = scope["state"]["head"]
        found: Found | None = scope["state"]["found"]
        route: ApiRoute | None = scope["state"]["route"]
        check_request(scope, head, self._hosts)
        self._check_version(scope["path"], found, asked_version(head, query))
        if needs_key(scope["path"], found, route):
            address = (scope.get("client") or ("",))[0]
            client = await identify(head, query, address, self._authenticator)
            check_scope(route, client)
            scope["state"]["client"] = client
        return await self._endpoint(request)

    def _check_version(self, path: str, found: Found | None, asked: str | None) -> None:
        route = found.place.any_route if found else None
        version = route.version if route else version_of(path)
        lifetime = route.lifetime if route else version.lifetime
        if lifetime.sunset is not None and lifetime.is_over(self._now()):
            raise Problem(ProblemType.GONE, f"version {version.name} of the API has ended here")
        if not accepts(version, asked):
            raise Problem(ProblemType.VERSION, _offered(version))


def check_request(scope: Scope, head: Head, hosts: Hosts) -> None:
    """What any request must be, whoever sends it. Raises Problem."""
    _check_size(scope)
    _check_framing(head)
    hosts.check(head)
    _check_path(scope)


def needs_key(path: str, found: Found | None, route: ApiRoute | None) -> bool:
    """What is no route below /api needs one too: without a key nobody learns what is there."""
    if found is None:
        return path.startswith("/api/")
    return found.place.path not in PUBLIC if route is None else route.scope is not None


def check_scope(route: ApiRoute | None, client: Client) -> None:
    """Raises Problem (403). A method that is no route here (405, OPTIONS) tells nothing that needs a scope."""
    if route is not None and route.scope is not None and route.scope not in client.scopes:
        raise Problem(ProblemType.FORBIDDEN, f"this key lacks the scope {route.scope.value}")


def _offered(version: ApiVersion) -> str:
    return f"this path answers version {version.name}; it may be asked for as {', '.join(sorted(version.asked_as))}"


def _check_size(scope: Scope) -> None:
    if len(_raw_path(scope)) + len(scope["query_string"]) > MAX_TARGET:
        raise Problem(ProblemType.TARGET_TOO_LONG, f"path and query are longer than {MAX_TARGET} bytes")
    if sum(map(len, chain.from_iterable(scope["headers"]))) > MAX_HEADERS:
        raise Problem(ProblemType.HEADERS_TOO_LARGE, f"the headers are larger than {MAX_HEADERS} bytes")


def _check_framing(head: Head) -> None:
    """Where a body ends must be said once: two answers to that let one request hide another."""
    if b"content-length" in head and b"transfer-encoding" in head:
        detail = "Content-Length and Transfer-Encoding exclude each other"
        raise Problem(ProblemType.MALFORMED, detail, headers={"Connection": "close"})


def _check_path(scope: Scope) -> None:
    """Bytes that are no UTF-8, which servers decode as they like, and control characters, which no name of ours has."""
    if _UNREADABLE.search(scope["path"]):
        raise Problem(ProblemType.MALFORMED, "the path holds what is no UTF-8, or control characters")


def _raw_path(scope: Scope) -> bytes:
    raw: bytes | None = scope.get("raw_path")
    return raw or scope["path"].encode("utf-8", "surrogateescape")
