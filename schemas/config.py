"""Dynamic configuration: every key with type, unit, bounds, default and who reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec import Struct

Value = int | float | bool | str


class DynamicConfig(Struct, frozen=True, kw_only=True):
    """All keys at one moment, typed; the defaults stand here once. docs/CAPACITY.md explains those of the backlog."""

    alerter_queue_warn_threshold: int = 1000
    alerter_queue_shed_threshold: int = 2000
    alerter_shed_mode: str = "dlq"
    alerter_defer_sleep_ms: int = 250
    alerter_shed_severity_floor: int = 2
    alerter_queue_hard_limit: int = 20000
    ingest_paused: bool = False
    audit_unhandled_events: bool = False
    max_ingest_queue_size: int = 1_000_000
    ingest_max_rate: int = 600_000
    ingest_rate_window: int = 60
    cache_reload_interval: int = 5
    unhandled_default_team: str = "NETO"
    unhandled_threshold: int = 100
    unhandled_expiry_seconds: int = 86400
    moog_rate_limit: int = 50
    moog_rate_period: int = 1
    moog_max_in_flight: int = 32
    moog_retry_max_age: int = 0
    moog_retry_base_delay: float = 1.0
    moog_retry_max_delay: int = 60
    circuit_breaker_threshold: int = 10
    circuit_breaker_timeout: int = 300
    remediation_enabled: bool = True
    remediation_interval: int = 30
    remediation_batch_size: int = 500
    max_poison_retries: int = 3
    remediation_backoff_base: int = 60
    slo_window_hours: int = 24
    metrics_retention_days: int = 90
    event_retention_days: int = 90
    event_archive_retention_years: int = 7
    config_audit_retention_days: int = 365
    retention_enforcement_enabled: bool = True
    dlq_retention_days: int = 30
    alert_retention_days: int = 90


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it means, who reads it, and what it may be. The type is that of its default."""

    name: str
    means: str
    read_by: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    zero: bool = False
    """0 is allowed too, below `low`: it switches the limit off."""

    @property
    def default(self) -> Value:
        value: Value = getattr(DEFAULTS, self.name)
        return value

    @property
    def kind(self) -> type[Value]:
        return type(self.default)

    @property
    def bounds(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return " or ".join(self.choices)
        if self.kind is bool:
            return "true or false"
        span = f"{self.low:g} to {self.high:g}" if self.kind is float else f"{self.low} to {self.high}"
        if self.kind is str:
            return f"{span} characters"
        return f"{'0, or ' if self.zero else ''}{span}{' ' + self.unit if self.unit else ''}"


DEFAULTS = DynamicConfig()


def _keys(read_by: str, *keys: tuple[str, str, dict[str, Any]]) -> tuple[Key, ...]:
    return tuple(Key(name=name, means=means, read_by=read_by, **limits) for name, means, limits in keys)


def _whole(low: int, high: int, unit: str = "") -> dict[str, Any]:
    return {"low": low, "high": high, "unit": unit}


_SWITCH: dict[str, Any] = {}

KEYS: tuple[Key, ...] = (
    *_keys(
        "match",
        ("alerter_queue_warn_threshold", "pending alerts: a log line per crossing", _whole(1, 10**7, "alerts")),
        ("alerter_queue_shed_threshold", "pending alerts: shed or defer above it", _whole(2, 10**7, "alerts")),
        ("alerter_shed_mode", "what happens above the shed threshold", {"choices": ("dlq", "defer")}),
        ("alerter_defer_sleep_ms", "re-check interval while deferring, jittered", _whole(10, 60000, "ms")),
        ("alerter_shed_severity_floor", "this syslog severity or worse is never shed", _whole(0, 7)),
        ("alerter_queue_hard_limit", "pending alerts: both modes pause above it", _whole(3, 10**8, "alerts")),
        ("ingest_paused", "the operator's stop: nothing is taken from the ingest topics", _SWITCH),
        ("audit_unhandled_events", "unhandled events get an audit row each", _SWITCH),
        ("unhandled_default_team", "team of hosts that have none", {"low": 1, "high": 100}),
        ("unhandled_threshold", "unhandled events of one signature that raise a meta-alert", _whole(1, 10**6)),
        ("unhandled_expiry_seconds", "window in which they are counted", _whole(60, 2592000, "s")),
    ),
    *_keys(
        "api",
        ("max_ingest_queue_size", "undecided records above which POST /ingest answers 503", _whole(1, 10**9)),
        ("ingest_max_rate", "events a key may post per window", _whole(1, 10**8, "events")),
        ("ingest_rate_window", "window of ingest_max_rate", _whole(1, 3600, "s")),
        ("slo_window_hours", "window of the v1 SLO answer", _whole(1, 720, "h")),
    ),
    *_keys("every worker", ("cache_reload_interval", "poll behind the notification", _whole(1, 3600, "s"))),
    *_keys(
        "forward",
        ("moog_rate_limit", "posts per period, for the whole fleet", _whole(1, 10**5, "posts")),
        ("moog_rate_period", "period of moog_rate_limit", _whole(1, 3600, "s")),
        ("moog_max_in_flight", "posts at once", _whole(1, 1000, "posts")),
        (
            "moog_retry_max_age",
            "an undelivered alert this old becomes a dead letter; 0 retries for ever",
            {"zero": True} | _whole(60, 2592000, "s"),
        ),
        ("moog_retry_base_delay", "first retry delay, full jitter", {"low": 0.05, "high": 60.0, "unit": "s"}),
        ("moog_retry_max_delay", "longest retry delay", _whole(1, 3600, "s")),
        ("circuit_breaker_threshold", "failures in a row that open the breaker", _whole(1, 10**4)),
        ("circuit_breaker_timeout", "open for this long, then one probe", _whole(1, 3600, "s")),
    ),
    *_keys(
        "dead-letters",
        ("remediation_enabled", "replay by itself while the receiver is healthy", _SWITCH),
        # A round waits for the verdict on the last and never fills the backlog, so every second is not too often.
        ("remediation_interval", "between two rounds", _whole(1, 86400, "s")),
        ("remediation_batch_size", "letters replayed a round", _whole(1, 10**4, "letters")),
        ("max_poison_retries", "replays after which a letter is parked", _whole(0, 100)),
        ("remediation_backoff_base", "backoff, times the attempt", _whole(1, 3600, "s")),
    ),
    *_keys(
        "retention",
        ("metrics_retention_days", "SLI minutes", _whole(31, 730, "days")),
        ("event_retention_days", "audit rows", _whole(7, 3650, "days")),
        ("event_archive_retention_years", "archived audit rows", _whole(1, 30, "years")),
        ("config_audit_retention_days", "audit of configuration changes", _whole(365, 3650, "days")),
        ("retention_enforcement_enabled", "the timer deletes; off, it only reports", _SWITCH),
        ("dlq_retention_days", "dead letters", _whole(7, 365, "days")),
        ("alert_retention_days", "deliveries", _whole(7, 3650, "days")),
    ),
)
BY_NAME: dict[str, Key] = {key.name: key for key in KEYS}
