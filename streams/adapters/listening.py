"""What a service shows those who connect to it: its certificate, and who may read /metrics. Files are read again."""

from __future__ import annotations

import hmac
import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from schemas.errors import SettingsRefused
from schemas.settings import Settings
from streams.adapters.live_tls import LiveContext, LiveTls
from streams.adapters.secrets import refuse_exposed
from streams.adapters.tls_files import Followed, TlsFile, load_pair, reading

SHORTEST_TOKEN = 16


class MetricsDoor:
    """Who may read /metrics: all where nothing is set, else whoever brings a token of the file, or a certificate.

    Raises SettingsRefused when the file cannot be used.
    """

    def __init__(self, token_file: str | None = None, *, certified: bool = False) -> None:
        self._certified = certified
        self._tokens = (
            None if token_file is None else Followed("tokens of /metrics", [token_file], partial(_tokens, token_file))
        )

    def opens(self, authorization: str | None, *, certified: bool) -> bool:
        """For what stands in Authorization, and for whether the connection has a certificate that was verified."""
        if self._tokens is None and not self._certified:
            return True
        if self._certified and certified:
            return True
        scheme, _, given = (authorization or "").partition(" ")
        presented = given.strip().encode("utf-8", "surrogateescape")
        tokens = () if self._tokens is None else self._tokens.current
        matches = [hmac.compare_digest(presented, token) for token in tokens]
        return scheme.lower() == "bearer" and any(matches)


OPEN = MetricsDoor()


@dataclass(frozen=True, slots=True)
class Front:
    """What a service shows those who connect to it; nothing that is set means: everybody, without TLS."""

    door: MetricsDoor = OPEN
    tls: ssl.SSLContext | None = None


def front_of(settings: Settings) -> Front:
    """Raises SettingsRefused."""
    return Front(metrics_door(settings), server_tls(settings))


def metrics_door(settings: Settings) -> MetricsDoor:
    """Raises SettingsRefused."""
    return MetricsDoor(settings.metrics_token_file, certified=settings.metrics_client_ca is not None)


def server_tls(settings: Settings) -> ssl.SSLContext | None:
    """TLS 1.2 at least; None where none is set. Each connection is shown what the files hold when it begins.

    Client certificates are asked for, never demanded: they open /metrics alone. Raises SettingsRefused.
    """
    cert, key, authorities = settings.tls_cert, settings.tls_key, settings.metrics_client_ca
    if cert is None or key is None:
        return None
    clients = None if authorities is None else TlsFile("metrics_client_ca", authorities)
    make = partial(_server_context, (TlsFile("tls_cert", cert), TlsFile("tls_key", key)), clients)
    return LiveContext(LiveTls([file for file in (cert, key, authorities) if file], make))


def _server_context(pair: tuple[TlsFile, TlsFile], clients: TlsFile | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_pair(context, *pair)
    if clients is not None:
        with reading(clients):
            context.load_verify_locations(clients.path)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _tokens(file: str) -> tuple[bytes, ...]:
    """One a line. Raises SettingsRefused."""
    try:
        refuse_exposed(Path(file))
        lines = Path(file).read_bytes().split()
    except OSError as error:
        raise SettingsRefused(f"MUTT_METRICS_TOKEN_FILE cannot be read: {error.strerror}") from None
    if not 1 <= len(lines) <= 2 or any(len(line) < SHORTEST_TOKEN for line in lines):
        raise SettingsRefused(
            f"MUTT_METRICS_TOKEN_FILE must hold one token or two, of {SHORTEST_TOKEN} characters or more"
        )
    return tuple(lines)
