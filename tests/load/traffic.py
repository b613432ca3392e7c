"""What the load offers: events of every severity, half of them alerts, in order per host."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.integration.load import Load

TOPIC = "mutt.ingest.syslog"
ALERTING_TEXT = "link down"


def mixed(hosts: int) -> Callable[[int], tuple[str, bytes, bytes]]:
    """Topic, key and value of the n-th event: every second one is an alert, severities 0 to 7 in turn."""

    def record(number: int) -> tuple[str, bytes, bytes]:
        host = f"h{number // 2 % hosts}"
        text = ALERTING_TEXT if number % 2 else "config saved"
        event = {
            "timestamp": "2026-03-01T12:00:00Z",
            "hostname": host,
            "message": f"{text} on port {number}",
            "syslog_severity": number // 2 % 8,
        }
        return TOPIC, host.encode(), json.dumps(event).encode()

    return record


def offer(bootstrap: str, *, rate: float, seconds: float, hosts: int) -> Load:
    """A producer in a thread, started: `rate` events a second for `seconds`."""
    load = Load(bootstrap, int(rate * seconds), rate, make=mixed(hosts))
    load.start()
    return load
