"""The way to the receiver: its address, what may be dialled for it, and TLS. Every connection to it is made here."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver
from yarl import URL

from schemas.errors import SettingsRefused
from schemas.settings import Settings
from streams.adapters.tls_files import load_pair, stamps
from streams.core.egress import is_host, refusal
from streams.core.safety import unsafe_receiver

log = structlog.get_logger()

CONNECT_TIMEOUT_S = 5.0
HEADER_LIMIT = 20_000
"""Header lines of an answer that are still read for its status."""

LOOPBACK_NAMES = Settings().receivers_allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """What TLS to the receiver needs beside the system's authorities: paths."""

    cacert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.cacert, self.client_cert, self.client_key)))


class Tls:
    """The TLS context, made anew when a file of it changes, so that a certificate is replaced without a restart.

    1.2 at least, the name checked. Raises SettingsRefused when the files cannot be used.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamps = stamps(files.given)
        self._context = _context(files)

    @property
    def context(self) -> ssl.SSLContext:
        """Looks at the times of the files. Those that cannot be used leave the last good context in place."""
        now = stamps(self._files.given)
        if now != self._stamps:
            self._stamps = now
            try:
                self._context = _context(self._files)
            except SettingsRefused as refused:
                log.error("TLS files for the receiver cannot be used, the last good ones stay", problem=str(refused))
        return self._context


class Way:
    """Where posts go, and what is dialled for it. Raises SettingsRefused, as `checked_url` and `Tls` do."""

    def __init__(
        self,
        url: URL,
        *,
        allowed: Sequence[str] = LOOPBACK_NAMES,
        tls: Tls | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`resolver` asks another DNS than the system's; it is closed with each session."""
        _check(url, allowed)
        self.url = url
        self._allowed = tuple(allowed)
        self._tls = tls or Tls(TlsFiles())
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
    files = TlsFiles(
        cacert=settings.webhook_cacert, client_cert=settings.webhook_client_cert, client_key=settings.webhook_client_key
    )
    return Way(receiver_url(settings.webhook_url), allowed=settings.receivers_allowed, tls=Tls(files))


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


def _context(files: TlsFiles) -> ssl.SSLContext:
    if files.client_cert and not files.client_key:
        raise SettingsRefused("MUTT_WEBHOOK_CLIENT_CERT needs MUTT_WEBHOOK_CLIENT_KEY")
    if files.client_key and not files.client_cert:
        raise SettingsRefused("MUTT_WEBHOOK_CLIENT_KEY needs MUTT_WEBHOOK_CLIENT_CERT")
    try:
        context = ssl.create_default_context(cafile=files.cacert)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsRefused(f"MUTT_WEBHOOK_CACERT cannot be used: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.client_cert and files.client_key:
        load_pair(context, files.client_cert, files.client_key, "MUTT_WEBHOOK_CLIENT_CERT")
    return context
