"""TLS towards a server: who vouches for it, and the certificate that we show it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import structlog

from schemas.errors import SettingsRefused
from schemas.settings import Settings, variable_of
from streams.adapters.tls_files import TlsFile, load_pair, reading, stamps

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What TLS to a server needs beside the system's authorities."""

    authorities: TlsFile | None = None
    pair: tuple[TlsFile, TlsFile] | None = None
    """Our certificate and its key, where the server asks for one."""

    @classmethod
    def of(cls, settings: Settings, server: str, ours: str | None = None) -> TlsFiles:
        """`server` begins the settings' names (database, kafka, webhook), `ours` those of our certificate and key.

        Raises SettingsRefused for half a pair.
        """
        cert, key = (_file(settings, f"{ours or server}_{part}") for part in ("cert", "key"))
        if (cert is None) != (key is None):
            names = [variable_of(f"{ours or server}_{part}") for part in ("cert", "key")]
            raise SettingsRefused(f"{names[0]} and {names[1]} belong together, and one is not set")
        return cls(_file(settings, f"{server}_cacert"), (cert, key) if cert and key else None)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(file.path for file in (self.authorities, *(self.pair or ())) if file)


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer; the server's certificate must be vouched for, and for the name that we dialled.

    Without authorities of our own the system's count. Reads files. Raises SettingsRefused naming setting and file.
    """
    context = _trusting(files.authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.pair is not None:
        load_pair(context, *files.pair)
    return context


class Tls:
    """A `client_context` that is made anew when a file of it changes, so that one is replaced without a restart.

    Raises SettingsRefused when the files cannot be used.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamps = stamps(files.paths)
        self._context = client_context(files)

    @property
    def context(self) -> ssl.SSLContext:
        """Looks at the times of the files. Those that cannot be used leave the last good context in place."""
        now = stamps(self._files.paths)
        if now != self._stamps:
            self._stamps = now
            try:
                self._context = client_context(self._files)
            except SettingsRefused as refused:
                log.error("TLS files cannot be used, the last good ones stay", problem=str(refused))
        return self._context


def _trusting(authorities: TlsFile | None) -> ssl.SSLContext:
    if authorities is None:
        return ssl.create_default_context()
    with reading(authorities):
        return ssl.create_default_context(cafile=authorities.path)


def _file(settings: Settings, name: str) -> TlsFile | None:
    path = getattr(settings, name)
    return None if path is None else TlsFile(name, path)
