"""The overview: whether events flow, where they stop, and what to do; and its figures while it is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.compression import EVENTS
from api.console.inside import Inside
from api.console.rendering import SAFE, Pages
from api.console.sessions import Sessions
from api.console.tiles import Tiles, tiles
from api.problems import Problem
from api.routes import ApiRoute
from schemas.errors import Unavailable
from schemas.events import Disposition
from schemas.scopes import Scope

EVERY_S = 2.0
LONGEST = 300
"""Times after which the browser is to connect again: about ten minutes, so that no connection is for ever."""

MEANINGS = {
    "locating": "Its position is being read; it goes on by itself.",
    "sink": "PostgreSQL or the alert topic cannot be written; it goes on by itself once it can.",
    "backlog": "Too many alerts wait for delivery; it goes on once the receiver took enough of them.",
    "operator": "Somebody paused the intake.",
    "breaker": "The receiver failed too often; it is probed now and then.",
    "halted": "Its log cannot be trusted; an operator must act.",
}
SEARCHED = frozenset(one.value for one in Disposition) - {Disposition.REJECTED.value}


class OverviewPage:
    def __init__(self, inside: Inside, pages: Pages, sessions: Sessions, stopping: asyncio.Event) -> None:
        self._inside = inside
        self._pages = pages
        self._sessions = sessions
        self._stopping = stopping

    def routes(self) -> tuple[ApiRoute, ...]:
        read = Scope.EVENTS_READ
        return (
            ApiRoute(method="GET", path="/ui", endpoint=self.show, scope=read, summary="The overview"),
            ApiRoute(method="GET", path="/ui/live", endpoint=self.live, scope=read, summary="Its figures, as events"),
        )

    async def show(self, request: Request) -> Response:
        overview, objectives, shown = await self._read(request)
        return self._pages.page(
            request, "overview.html",
            it=overview, objectives=objectives, tiles=shown, meanings=MEANINGS, searched=SEARCHED,
        )  # fmt: skip

    async def live(self, request: Request) -> Response:
        headers = SAFE | {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._told(request), media_type=EVENTS, headers=headers)

    async def _told(self, request: Request) -> AsyncIterator[bytes]:
        """Server-sent events. While the database is away nothing new is told, and the connection stays."""
        last = b""
        yield b"retry: 2000\n\n"
        for _ in range(LONGEST):
            try:
                if not await self._sessions.lasts(request.state.session):
                    return
                told = (await self._read(request))[2].told()
            except (Unavailable, Problem):
                told = last
            yield b"event: values\ndata: " + told + b"\n\n" if told != last else b": nothing new\n\n"
            last = told
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._stopping.wait()
                    return

    async def _read(self, request: Request) -> tuple[Mapping[str, Any], list[Mapping[str, Any]], Tiles]:
        paths = ("/api/v2/overview", "/api/v2/metrics/summary", "/api/v2/slo")
        overview, rates, levels = await asyncio.gather(*(self._inside.get(request, path) for path in paths))
        return overview, levels["items"], tiles(overview, rates, levels["items"])
