"""Which settings are unsafe, and what to do instead: no service starts with one of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from schemas.secret_names import API_KEY, API_PEPPER, Service
from schemas.settings import Settings
from streams.core.egress import address_in, is_named, refusal
from streams.core.health_checks import Finding, Verdict

LISTENING = frozenset({Service.MATCH, Service.FORWARD, Service.DEAD_LETTERS, Service.SNMP_BRIDGE, Service.API})
POSTING = frozenset({Service.FORWARD, Service.DEAD_LETTERS})
TLS_DEMANDED = frozenset({"require", "verify-ca", "verify-full"})
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


def _brokers(settings: Settings, _: Surroundings) -> Iterator[str]:
    if settings.kafka_security.endswith("ssl") or settings.kafka_plain:
        return
    if not all(map(is_loopback, _hosts(settings.kafka_bootstrap))):
        yield (
            "MUTT_KAFKA_BOOTSTRAP leads to another machine and there is no TLS; set MUTT_KAFKA_SECURITY to ssl or "
            "sasl_ssl, or MUTT_KAFKA_PLAIN=true where a private network does for it"
        )


def _database(settings: Settings, _: Surroundings) -> Iterator[str]:
    parts = urlsplit(settings.database_url)
    asked = parse_qs(parts.query)
    mode = settings.database_sslmode or asked.get("sslmode", ["prefer"])[-1]
    if mode in TLS_DEMANDED or settings.database_plain:
        return
    hosts = [*_hosts(parts.netloc.rpartition("@")[2]), *asked.get("host", [])]
    if not all(is_loopback(host) or host.startswith("/") for host in hosts if host):
        yield (
            "MUTT_DATABASE_URL leads to another machine and does not insist on TLS; set "
            "MUTT_DATABASE_SSLMODE=verify-full, or MUTT_DATABASE_PLAIN=true where a private network does for it"
        )


def _hosts(addresses: str) -> Iterator[str]:
    """Of host:port, with a comma between several; one that is a path, or none, is a socket of this machine."""
    for address in addresses.split(","):
        yield unquote(urlsplit(f"//{address}").hostname or "")


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
    ("brokers", ALL - {Service.RETENTION}, _brokers),
    ("database", ALL - {Service.SNMP_BRIDGE}, _database),
    ("vault", ALL, _vault),
    ("files", ALL, _files),
)
"""Each subject, whom it concerns, and what is unsafe about it."""
