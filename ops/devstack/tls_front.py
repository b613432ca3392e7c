"""PostgreSQL's half of TLS in front of the embedded server, whose build has none."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.certificates import Authority, Pair

_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


class Front:
    """Answers a request for TLS as PostgreSQL does, then hands bytes to and fro."""

    def __init__(self, backend_port: int) -> None:
        self._backend_port = backend_port
        self._context: ssl.SSLContext | None = None
        self.port = 0
        self.shown: list[Any] = []
        """Subjects of the certificates that clients showed, and the version of TLS; the newest last."""

    def shows(self, pair: Pair | None, clients: Authority | None = None) -> None:
        """From now on it shows this certificate, or takes no TLS; with `clients` it wants one that they vouch for."""
        self._context = None
        if pair is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(pair.certificate, pair.key)
            if clients is not None:
                self._context.load_verify_locations(clients.certificate)
                self._context.verify_mode = ssl.CERT_REQUIRED

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, asyncio.IncompleteReadError):
            try:
                await self._relay(reader, writer)
            finally:
                writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(8)
        if first == _SSL_REQUEST:
            writer.write(b"S" if self._context else b"N")
            if self._context is not None:
                await writer.start_tls(self._context)
                self.shown.append((writer.get_extra_info("peercert"), writer.get_extra_info("cipher")[1]))
            first = b""
        inner_reader, inner = await asyncio.open_connection("127.0.0.1", self._backend_port)
        inner.write(first)
        try:
            await asyncio.gather(_copy(reader, inner), _copy(inner_reader, writer))
        finally:
            inner.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    target.close()


@asynccontextmanager
async def front_of(backend_port: int) -> AsyncIterator[Front]:
    front = Front(backend_port)
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()
