"""Events that scenarios publish: some of each kind, spread over partitions, hosts and severities."""

from __future__ import annotations

import json

from tests.planted.world import Record

PARTITIONS = 8
TEXTS = ("link down on port", "config saved as", "heartbeat", "nothing knows this")
HEADERS = (("trace", b"1"), ("trace", b"2"), ("other", b"\xff"))


def event(text: str, number: int, *, severity: int | None = None, host: str | None = None) -> Record:
    """An event of a host that stays in its partition."""
    host = host or f"h{number % 7}"
    body = {"timestamp": "2026-03-01T12:00:00Z", "hostname": host, "message": f"{text} {number}"}
    body |= {} if severity is None else {"syslog_severity": severity}
    return Record(json.dumps(body).encode(), host.encode(), sum(host.encode()) % PARTITIONS)


def broken(number: int) -> Record:
    """Not JSON, with a header that repeats."""
    host = f"h{number % 7}"
    value = b'{"broken": ' + str(number).encode()
    return Record(value, host.encode(), sum(host.encode()) % PARTITIONS, HEADERS, "rejected:json")


def mixed(count: int, *, first: int = 0) -> list[Record]:
    """Some that alert, some that are logged, ignored, unmatched and broken."""
    numbers = range(first, first + count)
    return [broken(n) if n % 5 == 4 else event(TEXTS[n % 5 % 4], n) for n in numbers]


def alerting(
    count: int, *, first: int = 0, severities: tuple[int | None, ...] = (None,), hosts: int = 7
) -> list[Record]:
    return [
        event("link down on port", n, severity=severities[n % len(severities)], host=f"h{n % hosts}")
        for n in range(first, first + count)
    ]
