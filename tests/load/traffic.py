"""What the load offers: events of every severity, half of them alerts, in order per host."""

from __future__ import annotations

import json

from tests.integration.load import Load, Make

TOPIC = "mutt.ingest.syslog"
ALERTING_TEXT = "link down"
QUIET_TEXT = "config saved"
HOSTS = 60
STORM_SHARE = 10
"""In a storm all but one of so many alerts are of one host."""


def mixed(number: int) -> tuple[str, bytes, bytes]:
    """Topic, key and value of the n-th event: every second one is an alert, severities 0 to 7 in turn."""
    return _event(number, f"h{number // 2 % HOSTS}")


def storm(number: int) -> tuple[str, bytes, bytes]:
    """The same, nearly all of one host."""
    pair = number // 2
    return _event(number, "storm" if pair % STORM_SHARE else f"h{pair % HOSTS}")


def alerts_alone(number: int) -> tuple[str, bytes, bytes]:
    """Every event is an alert."""
    return _event(2 * number + 1, f"h{number % HOSTS}")


def _event(number: int, host: str) -> tuple[str, bytes, bytes]:
    event = {
        "timestamp": "2026-03-01T12:00:00Z",
        "hostname": host,
        "message": f"{ALERTING_TEXT if number % 2 else QUIET_TEXT} on port {number}",
        "syslog_severity": number // 2 % 8,
    }
    return TOPIC, host.encode(), json.dumps(event).encode()


def offer(bootstrap: str, *, rate: float, seconds: float, make: Make = mixed) -> Load:
    """A producer in a thread, started: `rate` events a second for `seconds`."""
    load = Load(bootstrap, int(rate * seconds), rate, make=make)
    load.start()
    return load
