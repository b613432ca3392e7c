"""A transport that sends what is written in one turn of the loop together: head and body of an answer in one packet."""

from __future__ import annotations

import asyncio
from typing import Any

MOST_HELD = 64 * 1024
"""Bytes; more is sent at once, so that the transport's own bound sees it."""


class CorkedTransport:
    """Around another. Only what uvicorn calls differs; everything else is the other's."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not data:
            return
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST_HELD:
            self._send()

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._held:
            self._transport.write(b"".join(self._held))
            self._held.clear()
            self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
