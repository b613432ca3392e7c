"""The event: what a producer publishes, and what it is called afterwards."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

MESSAGE_LIMIT = 64 * 1024
"""Characters of `message` kept in the audit row; longer ones are cut there, flagged, their bytes whole in `raw`."""

HOSTNAME_LIMIT = 255
SOURCE_LIMIT = 64

Severity = Annotated[int, Meta(ge=0, le=7)]
Facility = Annotated[int, Meta(ge=0, le=23)]
Hostname = Annotated[str, Meta(min_length=1, max_length=HOSTNAME_LIMIT)]
Source = Annotated[str, Meta(min_length=1, max_length=SOURCE_LIMIT)]
Varbind = str | int | float | bool | None


class Event(Struct, gc=False, kw_only=True, omit_defaults=True):
    """One syslog message or SNMP trap, decoded, with RFC 5424's field names where it has them."""

    timestamp: str | None
    """As the producer wrote it; None only for raw lines that carry no time."""
    hostname: Hostname
    message: str
    source: Source | None = None
    syslog_severity: Severity | None = None
    facility: Facility | None = None
    program: str | None = None
    procid: str | None = None
    msgid: str | None = None
    structured_data: dict[str, Any] | None = None
    trap_oid: str | None = None
    """Without a leading dot."""
    varbinds: dict[str, Varbind] | None = None
    correlation_id: str | None = None


class EventFormat(StrEnum):
    """How the record was written."""

    JSON = "json"
    RFC5424 = "rfc5424"
    RFC3164 = "rfc3164"
    OTHER = "other"


class Flag(StrEnum):
    """What is unusual about a stored event; kept in the audit row."""

    NO_EVENT_TIME = "no_event_time"
    """The timestamp is absent, has no zone, or cannot be read; `event_time` is null."""
    MESSAGE_CUT = "message_cut"
    """The audit row's message is cut at MESSAGE_LIMIT characters."""
    LATIN1 = "latin1"
    """A raw line that is not UTF-8 was read as ISO 8859-1."""
    NUL_SHOWN = "nul_shown"
    """NUL characters are shown as U+2400 in text columns."""
    KEY_MISMATCH = "key_mismatch"
    """The record's key is not the hostname: order per host is not promised."""
    ERASED = "erased"
    """`mutt erase` took message and record out of the row; it stands alone."""


class Decoded(Struct, gc=False):
    """A record that decoded: the event, its instant if it names one, and what is unusual about it."""

    event: Event
    event_time: dt.datetime | None = None
    flags: tuple[Flag, ...] = ()
    format: EventFormat = EventFormat.JSON


class Position(Struct, frozen=True, gc=False):
    """Where a record lies: its identity. `timestamp` is the broker's (LogAppendTime), in ms since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int

    @property
    def event_id(self) -> str:
        return event_id(self.topic, self.partition, self.offset)


def event_id(topic: str, partition: int, offset: int) -> str:
    """The id of an event, the same on every redelivery: `topic:partition:offset`."""
    return f"{topic}:{partition}:{offset}"


def parse_event_id(text: str) -> tuple[str, int, int]:
    """The topic, partition and offset an event id names. Raises ValueError when it is none."""
    topic, _, rest = text.strip().rpartition(":")
    topic, _, partition = topic.rpartition(":")
    if not topic or not partition.isdecimal() or not rest.isdecimal():
        raise ValueError(f"{text!r} is no event id; one looks like mutt.ingest.syslog:3:1042")
    return topic, int(partition), int(rest)


_VERSION_BITS, _VERSION_5 = (0xF << 76) | (0b11 << 62), (5 << 76) | (0b10 << 62)
"""Version and variant (RFC 9562, 4): `UUID(version=5)` sets the same, at three times the cost."""
_NAMESPACE = uuid.UUID("6f1d4c1e-6a53-5b8e-9b57-0c6d75747421").bytes


def derived_id(kind: str, position: Position) -> uuid.UUID:
    """The id of an alert or dead letter that this record makes: a version 5 UUID (RFC 9562), equal on every redelivery.

    The broker's time is part of it, because offsets are used again when a topic is recreated.
    """
    name = f"{kind}:{position.topic}:{position.partition}:{position.offset}:{position.timestamp}"
    digest = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()
    bits = int.from_bytes(digest[:16], "big")
    return uuid.UUID(int=(bits & ~_VERSION_BITS) | _VERSION_5)


class Disposition(StrEnum):
    """What became of an event: exactly one each (I1)."""

    ALERTED = "alerted"
    LOGGED = "logged"
    IGNORED = "ignored"
    UNHANDLED = "unhandled"
    SHED = "shed"
    REJECTED = "rejected"

    __hash__ = str.__hash__  # the enum's own is a Python function, and every event is counted
