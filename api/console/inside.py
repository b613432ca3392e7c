"""Inside: version 2 of the API asked from within its process, by whom the console has signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from api.dispatch import dispatch
from api.gate import check_scope
from api.head import Head
from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import JSON, Table

Query = Mapping[str, str]
NO_QUERY: Query = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered: the body as plain data, None where there is none, and the tag that a write must name."""

    body: Any
    etag: str | None


class Inside:
    """Every page goes through here, so the console knows and may do what the API tells and lets its client do.

    Raises what the routes raise, and Problem (403) where the client lacks their scope.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    async def get(self, request: Request, path: str, query: Query = NO_QUERY) -> Any:
        """The body of what is at this path."""
        return (await self.ask(request, "GET", path, query=query)).body

    async def ask(
        self,
        request: Request,
        method: str,
        path: str,
        *,
        query: Query = NO_QUERY,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One question for whoever asked the console; `headers` are beside those of the body.

        A body of bytes is sent as it is; `headers` name its type.
        """
        content = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        given = ({"Content-Type": JSON} if content else {}) | dict(headers or {})
        response = await self._response(request, method, path, query, given, content)
        return Answer(_read(response), response.headers.get("etag"))

    async def file(self, request: Request, path: str, query: Query = NO_QUERY) -> Response:
        """What is at this path as it is, for who wants to keep it."""
        return await self._response(request, "GET", path, query, {}, b"")

    async def _response(
        self, outer: Request, method: str, path: str, query: Query, headers: Mapping[str, str], content: bytes
    ) -> Response:
        asked = self._request(outer, method, path, query, headers, content)
        check_scope(asked.state.route, asked.state.client)
        return await dispatch(asked)

    def _request(
        self, outer: Request, method: str, path: str, query: Query, headers: Mapping[str, str], content: bytes
    ) -> Request:
        found = self._table.find(path)
        if found is None:
            raise Problem(ProblemType.NOT_FOUND, "there is nothing at this path")
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        state = {
            "head": Head(raw),
            "found": found,
            "route": found.place.route(method),
            "client": outer.state.client,
            "request_id": outer.state.request_id,
            "correlation_id": outer.state.correlation_id,
        }
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "server": None,
            "path": path,
            "query_string": urlencode(query).encode(),
            "headers": raw,
            "state": state,
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        return Request(scope, receive)


def _read(response: Response) -> Any:
    return msgspec.json.decode(bytes(response.body)) if response.body else None
