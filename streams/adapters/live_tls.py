"""TLS that follows its files: whoever replaces a certificate, a key or an authority restarts nothing."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any, Self

from streams.adapters.tls_files import Followed


class LiveTls(Followed[ssl.SSLContext]):
    """A context that is made anew when one of its files changes. Raises SettingsRefused when it cannot be made."""

    def __init__(self, files: Sequence[str], make: Callable[[], ssl.SSLContext]) -> None:
        """`make` reads the files; it raises SettingsRefused."""
        super().__init__("TLS files", files, make)

    @property
    def context(self) -> ssl.SSLContext:
        return self.current


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
