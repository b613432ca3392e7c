"""Reads files of events to publish: plain lines, or JSON Lines whose rows hold a raw line, a trap or an event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from schemas.errors import Refused
from schemas.topics import RAW, SNMP, SYSLOG


class OutRecord(NamedTuple):
    """One record to publish."""

    topic: str
    key: bytes | None
    value: bytes


class Target(StrEnum):
    """Where plain text lines go; JSON rows choose for themselves."""

    RAW = "raw"
    SYSLOG = "syslog"
    SNMP = "snmp"


_TOPICS = {Target.RAW: RAW.name, Target.SYSLOG: SYSLOG.name, Target.SNMP: SNMP.name}


def records_from(path: Path, target: Target | None = None) -> Iterator[OutRecord]:
    """The records of a file, in order, one line at a time.

    A row with `raw` is a syslog line as it was sent, one with `event` an event (a trap when it has a `trap_oid`), one
    with `hostname` and `message` is the event itself; any other line is published as it stands. With a target every
    line goes there unread. Raises Refused when the file cannot be read.
    """
    try:
        with path.open("rb") as lines:
            yield from records_of(lines, target)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error


def records_of(lines: Iterable[bytes], target: Target | None = None) -> Iterator[OutRecord]:
    """The same for lines from anywhere; empty ones are left out."""
    for line in lines:
        text = line.rstrip(b"\r\n")
        if text:
            yield OutRecord(_TOPICS[target], None, text) if target else _record(text)


def _record(line: bytes) -> OutRecord:
    row = _row(line)
    if isinstance(row.get("raw"), str):
        return OutRecord(RAW.name, _key(row.get("host")), row["raw"].encode())
    event = row.get("event", row)
    if isinstance(event, dict) and "message" in event and "hostname" in event:
        topic = SNMP if "trap_oid" in event else SYSLOG
        value = line if event is row else orjson.dumps(event)
        return OutRecord(topic.name, _key(event["hostname"]), value)
    return OutRecord(RAW.name, None, line)


def _row(line: bytes) -> dict[str, Any]:
    if not line.startswith(b"{"):
        return {}
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return row if isinstance(row, dict) else {}


def _key(host: object) -> bytes | None:
    return host.encode() if isinstance(host, str) and host else None
