"""TLS that follows its files: whoever replaces a certificate, a key or an authority restarts nothing."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any, Self

import structlog

from schemas.errors import SettingsRefused
from streams.adapters.tls_files import stamps

log = structlog.get_logger()


class LiveTls:
    """A context that is made anew when one of its files changes. Raises SettingsRefused when it cannot be made."""

    def __init__(self, files: Sequence[str], make: Callable[[], ssl.SSLContext]) -> None:
        """`make` reads the files; it raises SettingsRefused."""
        self._files = files
        self._make = make
        self._stamps = stamps(files)
        self._context = make()

    @property
    def context(self) -> ssl.SSLContext:
        """Looks at the times of the files. Those that cannot be used leave the last good context in place."""
        now = stamps(self._files)
        if now != self._stamps:
            self._stamps = now
            try:
                self._context = self._make()
            except SettingsRefused as refused:
                log.error("TLS files cannot be used, the last good ones stay", problem=str(refused))
        return self._context


class LiveContext(ssl.SSLContext):
    """For a server or a client that keeps what it is given: each connection begins with what the files hold then.

    For asyncio, which asks `wrap_bio` once a connection; of itself it knows no authority and shows no certificate.
    """

    def __new__(cls, tls: LiveTls) -> Self:
        return super().__new__(cls, tls.context.protocol)

    def __init__(self, tls: LiveTls) -> None:
        self._tls = tls

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        return self._tls.context.wrap_bio(*args, **options)
