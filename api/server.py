"""The server below the app: uvicorn on one socket, HTTP/1.1 alone, bounded in size and time."""

from __future__ import annotations

import asyncio
import socket
import ssl

import uvicorn
from starlette.types import ASGIApp

from api.protocol import MOST_READ, Protocol

SHUTDOWN_S = 5
"""Seconds that requests in hand get to finish after SIGTERM."""
IDLE_S = 5
"""Seconds that a connection may stay open between two requests."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address is taken or not ours."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)


class Serving(uvicorn.Server):
    """Says that it stops before it waits for requests in hand, so that what lasts for minutes can end at once."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


def served(app: ASGIApp, tls: ssl.SSLContext | None = None) -> uvicorn.Config:
    """How uvicorn serves it; it believes no proxy."""
    return uvicorn.Config(
        app,
        http=Protocol,
        h11_max_incomplete_event_size=MOST_READ,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ssl_context_factory=None if tls is None else lambda *_: tls,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
