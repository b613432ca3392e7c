"""Certificates and keys in files: how they are loaded, and how one learns that they were replaced."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import SettingsRefused
from streams.adapters.secrets import is_open
from streams.core.safety import exposed

Stamp = tuple[int, int, int] | None


def load_pair(context: ssl.SSLContext, cert: str, key: str, setting: str) -> None:
    """Raises SettingsRefused; what the context had before stays then."""
    try:
        if is_open(Path(key).stat(), reader=os.geteuid()):
            raise SettingsRefused(exposed(key))
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=_no_passphrase)
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise SettingsRefused(f"{setting} and its key cannot be used: {error}") from None


def stamps(files: Sequence[str]) -> tuple[Stamp, ...]:
    """What changes when a file is written or replaced; None for one that is not there."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: str) -> Stamp:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _no_passphrase() -> str:
    """Instead of OpenSSL's question at the terminal."""
    raise ValueError("the private key has a passphrase")
