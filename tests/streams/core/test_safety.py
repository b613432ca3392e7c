"""What no service starts with, and what it needs to be told before it does."""

from __future__ import annotations

import pytest

from schemas.secret_names import Service
from schemas.settings import Settings
from streams.core.health_checks import Verdict
from streams.core.safety import Surroundings, is_loopback, is_plain_to_others, judge_safety, unsafe

TOLD = {"host_plain": True, "metrics_open": True}
GUARDED = {"tls_cert": "c", "tls_key": "k", "metrics_token_file": "t"}


def problems(service: Service = Service.API, *, key_needed: bool | None = True, exposed: tuple[str, ...] = (),
             **settings: object) -> list[str]:  # fmt: skip
    around = Surroundings(exposed, key_needed)
    return unsafe(judge_safety(Settings(**settings), around, (service,)))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_loopback_nothing_more_is_asked_for(host: str) -> None:
    assert is_loopback(host)
    assert problems(host=host, key_needed=False) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mutt.example", "", "127.0.0.1.example"])
@pytest.mark.checks("TLS_4", "SURFACE_2")
def test_others_could_reach_it_so_it_needs_TLS_a_guarded_endpoint_and_a_key(host: str) -> None:
    first, second, third = problems(host=host, key_needed=False)
    assert "MUTT_TLS_CERT" in first
    assert "/metrics" in second
    assert "API_KEY" in third


@pytest.mark.parametrize("more", [TOLD, GUARDED, {"tls_cert": "c", "tls_key": "k", "metrics_client_ca": "a"}])
def test_what_is_guarded_or_named_is_safe(more: dict[str, object]) -> None:
    assert problems(host="0.0.0.0", **more) == []


def test_workers_answer_no_keys() -> None:
    assert problems(Service.MATCH, host="0.0.0.0", key_needed=False, **TOLD) == []


@pytest.mark.parametrize(
    ("service", "settings", "told"),
    [
        (Service.FORWARD, {"webhook_url": "http://alerts.example/"}, "MUTT_WEBHOOK_URL is plain http"),
        (Service.FORWARD, {"webhook_url": "https://169.254.169.254/"}, "link-local"),
        (Service.DEAD_LETTERS, {"webhook_url": "https://10.0.0.1/"}, "private use (RFC 1918)"),
        (Service.MATCH, {"vault_addr": "http://vault.example:8200"}, "VAULT_ADDR is plain http"),
        (
            Service.API,
            {"cors_origins": "https://a.example,http://b.example"},
            "MUTT_CORS_ORIGINS names http://b.example",
        ),
        (Service.MATCH, {"kafka_bootstrap": "127.0.0.1,k2.example:9092"}, "MUTT_KAFKA_BOOTSTRAP"),
        (
            Service.SNMP_BRIDGE,
            {"kafka_bootstrap": "[2001:db8::1]", "kafka_security": "sasl_plaintext"},
            "MUTT_KAFKA_PLAIN",
        ),
        (Service.API, {"database_url": "postgresql://db.example/mutt"}, "MUTT_DATABASE_URL"),
        (
            Service.MATCH,
            {"database_url": "postgres://u@127.0.0.1,db.example:1/m?sslmode=prefer"},
            "MUTT_DATABASE_SSLMODE",
        ),
        (Service.MATCH, {"database_url": "postgres:///m?host=db.example"}, "MUTT_DATABASE_PLAIN"),
        (
            Service.MATCH,
            {"database_url": "postgres://db/m?sslmode=require", "database_sslmode": "disable"},
            "verify-full",
        ),
        (Service.MATCH, {"tls_cert": "c"}, "one is not set"),
        (Service.MATCH, {"metrics_client_ca": "a"}, "needs TLS"),
    ],
)
@pytest.mark.checks("TLS_4")
def test_each_unsafe_setting_has_its_words(service: Service, settings: dict[str, object], told: str) -> None:
    (only,) = problems(service, **settings)
    assert told in only
    assert ";" in only, "it says what to do instead"


@pytest.mark.parametrize(
    "settings",
    [
        {"kafka_bootstrap": "k1.example,k2.example", "kafka_security": "ssl"},
        {"kafka_bootstrap": "k1.example", "kafka_plain": True},
        {"kafka_bootstrap": "localhost:1,127.0.0.1:2,[::1]:3"},
        {"database_url": "postgresql://db.example/mutt", "database_sslmode": "verify-full"},
        {"database_url": "postgresql://db.example/mutt?sslmode=require"},
        {"database_url": "postgresql://db.example/mutt", "database_plain": True},
        {"database_url": "postgresql://mutt@[::1]:5432,localhost/mutt"},
        {"database_url": "postgresql:///mutt"},
        {"database_url": "postgresql://%2Frun%2Fpostgresql/mutt"},
        {"database_url": "postgresql:///mutt?host=/run/postgresql"},
    ],
)
@pytest.mark.checks("TLS_4")
def test_stores_are_reached_by_TLS_on_this_machine_or_as_named(settings: dict[str, object]) -> None:
    assert problems(Service.MATCH, **settings) == []


def test_what_does_not_concern_a_service_does_not_stop_it() -> None:
    assert problems(Service.MATCH, webhook_url="http://alerts.example/", cors_origins="http://a.example") == []


def test_files_that_others_can_read_are_named() -> None:
    assert problems(exposed=("/a", "/b"))[0] == "/a is open to others; run: chmod 600 /a"


def test_everything_is_told_at_once_and_what_is_well_too() -> None:
    settings = Settings(host="0.0.0.0", webhook_url="http://a.example/", vault_addr="http://v.example")
    findings = judge_safety(settings, Surroundings(("/f",), key_needed=False), Service)
    wrong = [finding.subject for finding in findings if finding.verdict is Verdict.WRONG]
    assert wrong == ["address", "metrics", "keys", "receiver", "vault", "files"]
    assert [finding.subject for finding in findings if finding.verdict is Verdict.OK] == [
        "origins",
        "brokers",
        "database",
    ]


@pytest.mark.checks("SURFACE_1")
def test_what_settings_are_by_themselves_is_safe() -> None:
    assert unsafe(judge_safety(Settings(), Surroundings(), Service)) == []


def test_plain_to_others() -> None:
    assert is_plain_to_others("http://h.example")
    assert not is_plain_to_others("http://127.0.0.1:8200")
    assert not is_plain_to_others("https://h.example")
