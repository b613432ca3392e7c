"""TLS towards a server: who vouches for it, and the certificate that we show it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import partial

from schemas.errors import SettingsRefused
from schemas.settings import Settings, variable_of
from streams.adapters.live_tls import LiveTls
from streams.adapters.tls_files import TlsFile, load_pair, reading


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


def client_tls(files: TlsFiles) -> LiveTls:
    """A `client_context` that follows its files. Raises SettingsRefused when they cannot be used."""
    return LiveTls(files.paths, partial(client_context, files))


def _trusting(authorities: TlsFile | None) -> ssl.SSLContext:
    if authorities is None:
        return ssl.create_default_context()
    with reading(authorities):
        return ssl.create_default_context(cafile=authorities.path)


def _file(settings: Settings, name: str) -> TlsFile | None:
    path = getattr(settings, name)
    return None if path is None else TlsFile(name, path)
