"""The way to the receiver: its address, and what may be dialled for it. Every connection to it is made here."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from schemas.errors import SettingsRefused
from schemas.settings import Settings
from streams.adapters.live_tls import LiveTls
from streams.adapters.tls import TlsFiles, client_tls
from streams.core.egress import is_host, refusal
from streams.core.safety import unsafe_receiver

CONNECT_TIMEOUT_S = 5.0
HEADER_LIMIT = 20_000
"""Header lines of an answer that are still read for its status."""

LOOPBACK_NAMES = Settings().receivers_allowed


class Way:
    """Where posts go, and what is dialled for it. Raises SettingsRefused, for what is unsafe and for files of TLS."""

    def __init__(
        self,
        url: URL,
        *,
        allowed: Sequence[str] = LOOPBACK_NAMES,
        tls: LiveTls | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`resolver` asks another DNS than the system's; it is closed with each session."""
        _check(url, allowed)
        self.url = url
        self._allowed = tuple(allowed)
        self._tls = tls or client_tls(TlsFiles())
        self._resolver = resolver

    @property
    def tls(self) -> ssl.SSLContext:
        """For each request anew. Connections that were made with an older one serve no more."""
        return self._tls.context

    def open_session(self, timeout_s: float, *, connections: int) -> aiohttp.ClientSession:
        return open_session(timeout_s, connections=connections, socket_factory=self._socket, resolver=self._resolver)

    def _socket(self, found: tuple[Any, ...]) -> socket.socket:
        """The socket for an address that is about to be dialled: nothing is resolved between this look and that.

        Raises OSError (EACCES) for an address that may not be.
        """
        family, kind, protocol, _, (address, *_) = found
        if why := refusal(self.url.raw_host or "", str(address), self._allowed):
            raise PermissionError(errno.EACCES, f"the receiver's address is not dialled: {why}")
        return socket.socket(family, kind, protocol)


def way_of(settings: Settings) -> Way:
    """Raises SettingsRefused."""
    tls = client_tls(TlsFiles.of(settings, "webhook", ours="webhook_client"))
    return Way(receiver_url(settings.webhook_url), allowed=settings.receivers_allowed, tls=tls)


def open_session(timeout_s: float, *, connections: int, **connector: Any) -> aiohttp.ClientSession:
    """Keeps no cookies, heeds no proxy of the environment, unpacks nothing. The timeouts bound each read."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, **connector),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        max_headers=HEADER_LIMIT,
    )


def receiver_url(text: str) -> URL:
    """The receiver's address. Raises SettingsRefused for what is no plain http or https URL, without repeating it."""
    try:
        url = URL(text)
    except (ValueError, IndexError):  # yarl raises both
        raise SettingsRefused("MUTT_WEBHOOK_URL is no URL") from None
    if url.scheme not in ("http", "https") or not is_host(url.raw_host or ""):
        raise SettingsRefused("MUTT_WEBHOOK_URL must be an http or https URL with a host")
    if url.user is not None or url.password is not None or url.fragment:
        raise SettingsRefused("MUTT_WEBHOOK_URL must hold neither user, password nor fragment; the token is a secret")
    return url


def _check(url: URL, allowed: Sequence[str]) -> None:
    """What can be told before anything is resolved. Raises SettingsRefused."""
    if problems := list(unsafe_receiver(url.scheme, url.raw_host or "", allowed)):
        raise SettingsRefused(problems)
