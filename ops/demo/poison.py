"""Records that cannot be events, a few for each reason mutt rejects one: what broken producers really send."""

from __future__ import annotations

import json
from random import Random
from typing import NamedTuple

from schemas.dead_letters import Reason
from schemas.topics import MIB, RAW, SNMP, SYSLOG


class Poison(NamedTuple):
    """A record and why it must become a dead letter."""

    reason: Reason
    topic: str
    value: bytes | None


def poisons(random: Random, hostname: str, timestamp: str) -> list[Poison]:
    """Two to four records for every reason a decoder has, in random order."""
    found = [poison for poison in _all(hostname, timestamp) for _ in range(_copies(random, poison.reason))]
    random.shuffle(found)
    return found


def _copies(random: Random, reason: Reason) -> int:
    return 1 if reason is Reason.TOO_LARGE else random.choice((1, 2))


def _all(hostname: str, timestamp: str) -> list[Poison]:
    event = {"timestamp": timestamp, "hostname": hostname, "message": "a broken producer"}
    whole = json.dumps(event).encode()
    deep = b'{"context": ' + b"[" * 70 + b"]" * 70 + b", " + whole[1:]
    return [
        Poison(Reason.TOMBSTONE, SYSLOG.name, None),
        Poison(Reason.TOMBSTONE, RAW.name, None),
        Poison(Reason.TOO_LARGE, SYSLOG.name, json.dumps(event | {"message": "x" * (MIB + 1)}).encode()),
        Poison(Reason.TOO_LARGE, RAW.name, b"<34>1 - h a - - - " + b"y" * MIB),
        Poison(Reason.EMPTY, SYSLOG.name, b""),
        Poison(Reason.EMPTY, RAW.name, b" \t\n"),
        Poison(Reason.ENCODING, SYSLOG.name, whole.replace(b"broken", b"caf\xe9")),
        Poison(Reason.ENCODING, SNMP.name, whole.replace(b"broken", b"\xc0\xaf")),
        Poison(Reason.DEPTH, SYSLOG.name, deep),
        Poison(Reason.DEPTH, SNMP.name, deep),
        Poison(Reason.JSON, SYSLOG.name, whole[:-10]),
        Poison(Reason.JSON, SNMP.name, b"\x1b[2J not json at all"),
        Poison(Reason.NOT_OBJECT, SYSLOG.name, b"[1, 2, 3]"),
        Poison(Reason.NOT_OBJECT, SNMP.name, b"null"),
        Poison(Reason.DUPLICATE_KEY, SYSLOG.name, b'{"hostname": "other", ' + whole[1:]),
        Poison(Reason.DUPLICATE_KEY, SNMP.name, b'{"message": "first", ' + whole[1:]),
        Poison(Reason.MISSING_FIELD, SYSLOG.name, json.dumps({"timestamp": timestamp, "message": "who?"}).encode()),
        Poison(Reason.MISSING_FIELD, SNMP.name, json.dumps(event | {"timestamp": None}).encode()),
        Poison(Reason.FIELD, SYSLOG.name, json.dumps(event | {"syslog_severity": "3"}).encode()),
        Poison(Reason.FIELD, SNMP.name, json.dumps(event | {"trap_oid": "1.3.6..1"}).encode()),
        Poison(Reason.LINE, RAW.name, b"\0\0\0\0"),
        Poison(Reason.LINE, RAW.name, b"<34>"),
    ]
