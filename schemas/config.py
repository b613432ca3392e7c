"""Dynamic configuration: every key with type, unit, bounds, default and who reads it."""

from __future__ import annotations

from msgspec import Struct


class DynamicConfig(Struct, frozen=True, kw_only=True):
    """All keys at one moment, typed; the defaults stand here once."""

    alerter_queue_warn_threshold: int = 1000
    alerter_queue_shed_threshold: int = 2000
    alerter_shed_mode: str = "dlq"
    alerter_defer_sleep_ms: int = 250
    alerter_shed_severity_floor: int = 2
    alerter_queue_hard_limit: int = 20000
    ingest_paused: bool = False
    audit_unhandled_events: bool = False
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
    max_poison_retries: int = 3
    slo_window_hours: int = 24
