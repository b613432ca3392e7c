"""What the devices of a run say: the n-th record of a seed, with the fate it must have where it is broken. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

HOSTS = 60
TOPICS = ("mutt.ingest.syslog", "mutt.ingest.snmp", "mutt.ingest.raw")
POISONED = 0.06
REPEATED = 0.1
"""Share of records with headers, one name among them twice."""


class Record(NamedTuple):
    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    expect: str | None = None
    """`rejected:REASON`; None for a record that is decided by the rules."""


TEXTS = (
    "link down on port {}", "link down on port {}", "fan {} failed", "config saved as {}", "config saved as {}",
    "config saved as {}", "heartbeat {}", "heartbeat {}", "nothing knows this {}", "nor that: session {} opened",
)  # fmt: skip
"""Matched by the rules of `world`, or by none, each as often as it stands here."""
OIDS = ("1.3.6.1.4.1.9.9.13.3", "1.3.6.1.4.1.9.90.1", "1.3.6.1.6.3.1.1.5.3")


def record(seed: int, number: int) -> Record:
    """A host always sends to the same topic."""
    random = Random(seed * 1_000_003 + number)
    host = random.randrange(HOSTS)
    topic, name = TOPICS[host % len(TOPICS)], f"h{host}"
    text = random.choice(TEXTS).format(number)
    headers = (("trace", b"%d" % number), ("site", b"a"), ("site", b"\xff")) if random.random() < REPEATED else ()
    if random.random() < POISONED:
        value, reason = _poisoned(random, topic, name, number)
        return Record(topic, name.encode(), value, headers, f"rejected:{reason}")
    if topic.endswith("raw"):
        line = f"<{8 + random.randrange(8)}>1 2026-03-01T12:00:00Z {name} app - - - {text}"
        return Record(topic, name.encode(), line.encode(), headers)
    return Record(topic, name.encode(), _json(_event(random, topic, name, text)), headers)


def _event(random: Random, topic: str, host: str, text: str) -> dict[str, Any]:
    event = {"timestamp": "2026-03-01T12:00:00Z", "hostname": host, "message": text}
    if topic.endswith("snmp"):
        return event | {"trap_oid": random.choice(OIDS), "varbinds": {"1.3.6.1.2.1.1.3.0": random.randrange(1000)}}
    return event | {"syslog_severity": random.randrange(8)}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


_BROKEN: tuple[tuple[str, Callable[[dict[str, Any]], bytes | None]], ...] = (
    ("json", lambda event: _json(event)[:-9]),
    ("not_object", lambda event: _json([event])),
    ("missing_field", lambda event: _json({name: event[name] for name in ("timestamp", "message")})),
    ("field", lambda event: _json(event | {"syslog_severity": "3"})),
    ("duplicate_key", lambda event: _json(event)[:-1] + b', "hostname": "other"}'),
    ("encoding", lambda event: _json(event).replace(b"broken", b"\xff\xfe")),
    ("depth", lambda event: _json(event)[:-1] + b', "deep": ' + b"[" * 70 + b"]" * 70 + b"}"),
    ("empty", lambda _: b"  "),
    ("tombstone", lambda _: None),
)
_BROKEN_LINES: tuple[tuple[str, bytes | None], ...] = (("line", b"<13>"), ("empty", b""), ("tombstone", None))


def _poisoned(random: Random, topic: str, host: str, number: int) -> tuple[bytes | None, str]:
    if topic.endswith("raw"):
        reason, value = random.choice(_BROKEN_LINES)
        return value, reason
    reason, breaks = random.choice(_BROKEN)
    return breaks({"timestamp": "2026-03-01T12:00:00Z", "hostname": host, "message": f"broken {number}"}), reason
