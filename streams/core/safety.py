"""Which settings are unsafe, and what to do instead: no service starts with one of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from schemas.secret_names import API_KEY, API_PEPPER, Service
from schemas.settings import Settings
from streams.core.egress import address_in, is_named, refusal
from streams.core.health_checks import Finding, Verdict

LISTENING = frozenset({Service.MATCH, Service.FORWARD, Service.DEAD_LETTERS, Service.SNMP_BRIDGE, Service.API})
POSTING = frozenset({Service.FORWARD, Service.DEAD_LETTERS})
VAULT_PLAIN = "VAULT_ADDR is plain http to another machine; use https, or set MUTT_VAULT_PLAIN=true"


class Surroundings(Struct, frozen=True):
    """What the settings alone do not say."""

    exposed: tuple[str, ...] = ()
    """Files with secrets that others may read."""
    key_needed: bool | None = None
    """Whether the API asks for keys; None where nobody looked."""


Check = Callable[[Settings, Surroundings], Iterator[str]]
"""What is unsafe, with what to do instead."""


def judge_safety(settings: Settings, around: Surroundings, services: Iterable[Service]) -> list[Finding]:
    """One finding for each thing that is unsafe for one of these services, and one for each subject that is well."""
    of = frozenset(services)
    findings: list[Finding] = []
    for subject, concerned, check in CHECKS:
        if concerned & of:
            problems = list(check(settings, around))
            findings += [Finding(subject, Verdict.WRONG, problem) for problem in problems]
            findings += [] if problems else [Finding(subject, Verdict.OK, "safe")]
    return findings


def unsafe(findings: Iterable[Finding]) -> list[str]:
    return [finding.says for finding in findings if finding.verdict is Verdict.WRONG]


def is_loopback(host: str) -> bool:
    """Only addresses count, and the name localhost: any other name may mean something else tomorrow."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_plain_to_others(address: str) -> bool:
    """An http address, and not of this machine."""
    parts = urlsplit(address)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def _listening(settings: Settings, _: Surroundings) -> Iterator[str]:
    if bool(settings.tls_cert) is not bool(settings.tls_key):
        yield "MUTT_TLS_CERT and MUTT_TLS_KEY belong together, and one is not set; set both"
    if not is_loopback(settings.host) and not settings.tls_cert and not settings.host_plain:
        yield (
            f"MUTT_HOST={settings.host!r} is no loopback address and there is no TLS; set MUTT_TLS_CERT and "
            "MUTT_TLS_KEY, or MUTT_HOST_PLAIN=true where a proxy or a private network does for it"
        )


def _metrics(settings: Settings, _: Surroundings) -> Iterator[str]:
    guarded = settings.metrics_token_file or settings.metrics_client_ca
    if not is_loopback(settings.host) and not guarded and not settings.metrics_open:
        yield (
            f"MUTT_HOST={settings.host!r} is no loopback address and all may read /metrics; set "
            "MUTT_METRICS_TOKEN_FILE or MUTT_METRICS_CLIENT_CA, or MUTT_METRICS_OPEN=true"
        )
    if settings.metrics_client_ca and not settings.tls_cert:
        yield "MUTT_METRICS_CLIENT_CA needs TLS; set MUTT_TLS_CERT and MUTT_TLS_KEY"


def _keys(settings: Settings, around: Surroundings) -> Iterator[str]:
    if not is_loopback(settings.host) and around.key_needed is False:
        wanted = f"the secret {API_PEPPER} (for stored keys) or {API_KEY}"
        yield f"MUTT_HOST={settings.host!r} is no loopback address, so the API needs {wanted}"


def _origins(settings: Settings, _: Surroundings) -> Iterator[str]:
    for origin in settings.origins_allowed:
        if is_plain_to_others(origin):
            yield f"MUTT_CORS_ORIGINS names {origin}, which anybody on the way can write; use https"


def _receiver(settings: Settings, _: Surroundings) -> Iterator[str]:
    try:
        parts = urlsplit(settings.webhook_url)
    except ValueError:
        return  # it is refused as no URL
    yield from unsafe_receiver(parts.scheme, parts.hostname or "", settings.receivers_allowed)


def unsafe_receiver(scheme: str, host: str, allowed: Sequence[str]) -> Iterator[str]:
    """What can be told of the receiver before its name is resolved."""
    name_it = "name its host in MUTT_WEBHOOK_ALLOWED_HOSTS if it shall be"
    if scheme == "http" and not is_named(host, allowed):
        yield f"MUTT_WEBHOOK_URL is plain http; use https, or {name_it}"
    if address_in(host) is not None and (why := refusal(host, host, allowed)):
        yield f"MUTT_WEBHOOK_URL is not dialled: {why}; {name_it}"


def _vault(settings: Settings, _: Surroundings) -> Iterator[str]:
    if settings.vault_addr and is_plain_to_others(settings.vault_addr) and not settings.vault_plain:
        yield VAULT_PLAIN


def _files(_: Settings, around: Surroundings) -> Iterator[str]:
    yield from (exposed(file) for file in around.exposed)


def exposed(file: str) -> str:
    return f"{file} is open to others; run: chmod 600 {file}"


ALL = frozenset(Service)

CHECKS: tuple[tuple[str, frozenset[Service], Check], ...] = (
    ("address", LISTENING, _listening),
    ("metrics", LISTENING, _metrics),
    ("keys", frozenset({Service.API}), _keys),
    ("origins", frozenset({Service.API}), _origins),
    ("receiver", POSTING, _receiver),
    ("vault", ALL, _vault),
    ("files", ALL, _files),
)
"""Each subject, whom it concerns, and what is unsafe about it."""
