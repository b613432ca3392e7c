"""TLS towards a server: who vouches for it, and the certificate that we show it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import SettingsRefused
from schemas.settings import Settings, variable_of
from streams.adapters.secrets import is_open


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Names of the settings that hold the files, and the files; None where the setting is not set."""

    prefix: str
    authorities: str | None
    certificate: str | None
    key: str | None

    @classmethod
    def of(cls, settings: Settings, prefix: str) -> TlsFiles:
        """`prefix` is that of the settings: database, kafka."""
        return cls(prefix, *(getattr(settings, f"{prefix}_{part}") for part in ("cacert", "cert", "key")))


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer; the server's certificate must be vouched for, and for the name that we dialled.

    Without authorities of our own the system's count. Reads files. Raises SettingsRefused naming setting and file.
    """
    context = ssl.create_default_context(cafile=_readable(files.prefix, "cacert", files.authorities))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if (files.certificate is None) != (files.key is None):
        names = [variable_of(f"{files.prefix}_{part}") for part in ("cert", "key")]
        raise SettingsRefused(f"{names[0]} and {names[1]} belong together, and one is not set")
    if files.certificate is not None and files.key is not None:
        _load(context, files)
    return context


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    _readable(files.prefix, "cert", files.certificate)
    _readable(files.prefix, "key", files.key)
    if is_open(Path(str(files.key)).stat(), reader=os.geteuid()):
        raise SettingsRefused(f"{_named(files.prefix, 'key', files.key)} is open to others; run: chmod 600 {files.key}")
    try:
        context.load_cert_chain(str(files.certificate), files.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise SettingsRefused(
            f"{_named(files.prefix, 'cert', files.certificate)} and {_named(files.prefix, 'key', files.key)}"
            f" are no certificate and its key without a password ({getattr(error, 'reason', None) or error})"
        ) from None


def _no_password() -> str:
    raise ValueError("the key has a password")


def _readable(prefix: str, part: str, file: str | None) -> str | None:
    if file is None:
        return None
    try:
        Path(file).read_bytes()
        if part == "cacert":
            ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise SettingsRefused(f"{_named(prefix, part, file)} holds no certificate") from None
    except OSError as error:
        raise SettingsRefused(f"{_named(prefix, part, file)} cannot be read: {error.strerror}") from None
    return file


def _named(prefix: str, part: str, file: str | None) -> str:
    return f"{variable_of(f'{prefix}_{part}')}={file!r}"
