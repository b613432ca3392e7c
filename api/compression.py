"""Large answers in gzip, for who accepts that."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipResponder
from starlette.types import ASGIApp, Receive, Scope, Send

LARGE = 1024
"""Bytes from which an answer is worth it."""


class Compression:
    """Starlette's, out of the way of everybody else: most who ask take an answer as it is, and often."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            app = GZipResponder(app, LARGE, compresslevel=6, exclude_content_types=())  # nothing here is packed already
        await app(scope, receive, send)
