"""Certificates, keys and tokens in files: how they are read and told of, and followed when they are replaced."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from schemas.errors import SettingsRefused
from schemas.settings import variable_of
from streams.adapters.secrets import refuse_exposed

log = structlog.get_logger()

Stamp = tuple[int, int, int] | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TlsFile:
    """A file, and the setting that names it."""

    setting: str
    path: str

    def __str__(self) -> str:
        return f"{variable_of(self.setting)}={self.path!r}"


@contextmanager
def reading(file: TlsFile) -> Iterator[None]:
    """Raises SettingsRefused, naming setting and file, for one that cannot be read or holds no certificate."""
    try:
        yield
    except ssl.SSLError:
        raise SettingsRefused(f"{file} holds no certificate") from None
    except OSError as error:
        raise SettingsRefused(f"{file} cannot be read: {error.strerror}") from None


def load_pair(context: ssl.SSLContext, certificate: TlsFile, key: TlsFile) -> None:
    """Raises SettingsRefused, naming settings and files; what the context had before stays then."""
    for file in (certificate, key):
        with reading(file):
            Path(file.path).read_bytes()
    refuse_exposed(Path(key.path))
    try:
        for asked in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            asked.load_cert_chain(certificate.path, key.path, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "reason", None) or error
        raise SettingsRefused(
            f"{certificate} and {key} are no certificate and its key without a password ({why})"
        ) from None


class Followed(Generic[T]):
    """What is made of files, and made anew when one of them changes. Raises SettingsRefused when it cannot be made."""

    def __init__(self, what: str, files: Sequence[str], make: Callable[[], T]) -> None:
        """`what` names it in the log; `make` reads the files, and raises SettingsRefused."""
        self._what = what
        self._files = files
        self._make = make
        self._stamps = _stamps(files)
        self._made = make()

    @property
    def current(self) -> T:
        """Looks at the times of the files. Those that cannot be used leave what was made last in place."""
        now = _stamps(self._files)
        if now != self._stamps:
            self._stamps = now
            try:
                self._made = self._make()
            except SettingsRefused as refused:
                log.error(f"{self._what} cannot be used, the last good ones stay", problem=str(refused))
        return self._made


def _stamps(files: Sequence[str]) -> tuple[Stamp, ...]:
    """What changes when a file is written or replaced; None for one that is not there."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: str) -> Stamp:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _no_password() -> str:
    """Instead of OpenSSL's question at the terminal."""
    raise ValueError("the key has a password")
