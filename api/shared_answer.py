"""A resource with one question: all who ask within some seconds get the same answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api.fresh import Fresh
from api.problems import JsonResponse
from api.queries import QueryReader
from api.routes import ApiRoute


class SharedAnswer:
    """Implements Resource: GET, without parameters."""

    def __init__(self, read: Callable[[], Awaitable[Struct]], *, holds_s: float, **told: Any) -> None:
        """`told` is what the route says of itself: path, scope, summary, answer."""
        self._found = Fresh(read, holds_s=holds_s)
        self._route = ApiRoute(method="GET", endpoint=self.get, **told)

    def routes(self) -> tuple[ApiRoute, ...]:
        return (self._route,)

    async def get(self, request: Request) -> Response:
        QueryReader(request.query_params).finish()
        return JsonResponse(await self._found.get())
