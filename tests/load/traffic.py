"""What the load offers: events of every severity, half of them alerts, in order per host."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.integration.load import Load

TOPIC = "mutt.ingest.syslog"
ALERTING_TEXT = "link down"
QUIET_TEXT = "config saved"
HOSTS = 60
STORM_SHARE = 10
"""In a storm all but one of so many alerts are of one host."""


def mixed(storm: bool) -> Callable[[int], tuple[str, bytes, bytes]]:
    """Topic, key and value of the n-th event: every second one is an alert, severities 0 to 7 in turn."""

    def record(number: int) -> tuple[str, bytes, bytes]:
        pair = number // 2
        host = "storm" if storm and pair % STORM_SHARE else f"h{pair % HOSTS}"
        event = {
            "timestamp": "2026-03-01T12:00:00Z",
            "hostname": host,
            "message": f"{ALERTING_TEXT if number % 2 else QUIET_TEXT} on port {number}",
            "syslog_severity": pair % 8,
        }
        return TOPIC, host.encode(), json.dumps(event).encode()

    return record


def offer(bootstrap: str, *, rate: float, seconds: float, storm: bool = False) -> Load:
    """A producer in a thread, started: `rate` events a second for `seconds`."""
    load = Load(bootstrap, int(rate * seconds), rate, make=mixed(storm))
    load.start()
    return load
