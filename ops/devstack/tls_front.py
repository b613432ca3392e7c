"""PostgreSQL's half of TLS in front of the embedded server, whose build has none.

Run as `python -m ops.devstack.tls_front PORT BACKEND_PORT CERTIFICATE KEY`, on loopback.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ops.devstack.authority import Pair
from schemas.errors import SettingsRefused
from streams.adapters.live_tls import LiveContext, LiveTls

_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


class Shown(Protocol):
    """Files: a certificate and its key."""

    @property
    def certificate(self) -> Path: ...

    @property
    def key(self) -> Path: ...


def showing(pair: Shown, clients: Path | None = None) -> ssl.SSLContext:
    """Of a server that follows these files. With `clients` it wants a certificate that they vouch for."""
    files = [os.fspath(file) for file in (pair.certificate, pair.key, clients) if file]
    return LiveContext(LiveTls(files, partial(_read, pair, clients)))


def _read(pair: Shown, clients: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(pair.certificate, pair.key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError too: half of it is replaced
        raise SettingsRefused(f"{pair.certificate}: {error}") from error
    return context


class Front:
    """Answers a request for TLS as PostgreSQL does, then hands bytes to and fro."""

    def __init__(self, backend_port: int) -> None:
        self._backend_port = backend_port
        self._context: ssl.SSLContext | None = None
        self.port = 0
        self.insists = False
        """Whoever does not ask for TLS is cut off."""
        self.shown: list[Any] = []
        """Subjects of the certificates that clients showed, and the version of TLS; the newest last."""

    def shows(self, pair: Shown | None, clients: Path | None = None) -> None:
        """From now on it shows this certificate, or takes no TLS; with `clients` it wants one that they vouch for."""
        self._context = None if pair is None else showing(pair, clients)

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
        elif self.insists:
            return
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
async def front_of(backend_port: int, port: int = 0) -> AsyncIterator[Front]:
    """It listens until this ends; 0 takes any free port. Raises OSError."""
    front = Front(backend_port)
    server = await asyncio.start_server(front.serve, "127.0.0.1", port)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()


async def main(port: int, backend_port: int, pair: Shown) -> None:
    """Until the process is ended; with TLS alone."""
    async with front_of(backend_port, port) as front:
        front.shows(pair)
        front.insists = True
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Pair(Path(sys.argv[3]), Path(sys.argv[4]))))
