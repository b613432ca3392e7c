"""The only JSON decoder of mutt: records into events, alerts out and in again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from msgspec import Struct

from schemas.alerts import Alert
from schemas.bounds import within_bounds
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import MESSAGE_LIMIT, Decoded, Event, Flag
from schemas.json_checks import accounts_for, explain, may_repeat, repeats, strip_bom, too_deep
from schemas.syslog import host_of_key, parse_line, parse_structured_data, visible
from schemas.syslog_times import utc
from schemas.topics import MIB, RecordFormat, Topic

__all__ = ["VALUE_LIMIT", "decode", "decode_alert", "encode", "named_host", "visible"]

VALUE_LIMIT = MIB
"""Bytes of a record's value; a longer one is `too_large`."""


class _Loose(Event, gc=False, kw_only=True):
    """An event as some producers write it: a number for a timestamp, structured data as RFC 5424 text."""

    timestamp: msgspec.Raw  # type: ignore[assignment]
    structured_data: dict[str, Any] | str | None = None  # type: ignore[assignment]


class _Named(Struct, gc=False):
    """What can be read of a record that is no event."""

    hostname: str


_EVENT = msgspec.json.Decoder(Event)
_NAMED = msgspec.json.Decoder(_Named)
_LOOSE = msgspec.json.Decoder(_Loose)
_ALERT = msgspec.json.Decoder(Alert)
_ENCODER = msgspec.json.Encoder()
_REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_NO_TIME = (Flag.NO_EVENT_TIME,)


def decode(value: bytes | None, topic: Topic, key: bytes | None = None, received: dt.datetime | None = None) -> Decoded:
    """The event in the value of an ingest record.

    `key` gives the host where the record names none; `received` (the broker's time, aware) gives the year to a line
    that has a zone but no year. Raises RecordRejected with the first reason of `Reason` that applies; its detail names
    the JSON pointer and the bound. Flags: all but KEY_MISMATCH.
    """
    if topic.format is RecordFormat.SYSLOG_LINE:
        return parse_line(value, default_source=topic.source or "syslog", key=key, received=received)
    if value is None:
        raise RecordRejected(Reason.TOMBSTONE, "null value")
    if len(value) > VALUE_LIMIT:
        raise RecordRejected(Reason.TOO_LARGE, f"{len(value):,} bytes; at most {VALUE_LIMIT:,}")
    unusual = False
    try:
        event = _EVENT.decode(value)
    except _REFUSALS:
        value, unusual = strip_bom(value), True
        event = _second_look(value, key)
    escaped = b"\\" in value
    if not _is_sound(value, event, escaped=escaped, unusual=unusual):
        explain(value, host_of_key(key), "the record cannot be read without doubt")
    return _finish(event, topic, key, escaped=escaped)


def _second_look(value: bytes, key: bytes | None) -> Event:
    """Reads what is only written unusually; raises RecordRejected with its reason for everything else."""
    try:
        loose = _LOOSE.decode(value)
        timestamp = _number_or_text(bytes(loose.timestamp))  # its bytes were only passed over until now
    except _REFUSALS as error:
        explain(value, host_of_key(key), str(error))
    structured: dict[str, Any] | str | None = loose.structured_data
    if isinstance(structured, str):
        structured = None if structured in ("", "-") else parse_structured_data(structured) or structured
    if timestamp is None or isinstance(structured, str):
        explain(value, host_of_key(key), "/timestamp or /structured_data is of the wrong type")
    fields = {name: getattr(loose, name) for name in Event.__struct_fields__}
    return Event(**fields | {"timestamp": timestamp, "structured_data": structured})


def _number_or_text(raw: bytes) -> str | None:
    """A JSON text, or a JSON number as it was written; None for anything else."""
    if raw[:1] == b'"':
        return msgspec.json.decode(raw, type=str)
    return raw.decode() if raw[:1] in b"-0123456789" else None


def _is_sound(value: bytes, event: Event, *, escaped: bool, unusual: bool) -> bool:
    """Whether the typed decoder's event is all there is to say: the checks that it does not make."""
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError:
            return False
    if not within_bounds(event):
        return False
    if not (escaped or unusual) and accounts_for(event, value):
        return event.structured_data is None or not too_deep(value)
    return not (too_deep(value) or (may_repeat(value, event, escaped=escaped) and repeats(value)))


def _finish(event: Event, topic: Topic, key: bytes | None, *, escaped: bool) -> Decoded:
    """Fills in what mutt knows, drops what means absent, and says what is unusual."""
    if event.source is None:
        event.source = topic.source
    if event.hostname == "-":
        event.hostname = _key_host(key)
    if event.program == "-":
        event.program = None
    if event.procid == "-":
        event.procid = None
    if event.msgid == "-":
        event.msgid = None
    if event.trap_oid is not None and event.trap_oid[0] == ".":
        event.trap_oid = event.trap_oid[1:]
    event_time = utc(event.timestamp)
    flags: tuple[Flag, ...] = () if event_time is not None else _NO_TIME
    if len(event.message) > MESSAGE_LIMIT:
        flags += (Flag.MESSAGE_CUT,)
    if escaped and _shows_nul(event):
        flags += (Flag.NUL_SHOWN,)
    return Decoded(event, event_time, flags)


def _key_host(key: bytes | None) -> str:
    host = host_of_key(key)
    if host is None:
        raise RecordRejected(Reason.MISSING_FIELD, '/hostname is "-" and the record key names no host')
    return host


def named_host(value: bytes | None) -> str | None:
    """The host that a rejected JSON record names, however wrong the rest is; None where none can be read."""
    if value is None or len(value) > VALUE_LIMIT:
        return None
    try:
        return host_of_key(_NAMED.decode(strip_bom(value)).hostname.encode())
    except (*_REFUSALS, UnicodeEncodeError):
        return None


def _shows_nul(event: Event) -> bool:
    """Whether a text of the event holds a NUL, however deep."""
    return any(_holds_nul(getattr(event, name)) for name in Event.__struct_fields__)


def _holds_nul(node: object) -> bool:
    if type(node) is str:
        return "\0" in node
    if type(node) is dict:
        return any(map(_holds_nul, node)) or any(map(_holds_nul, node.values()))
    return any(map(_holds_nul, node)) if type(node) is list else False


def encode(record: object) -> bytes:
    """Our own record (a Struct, a dataclass, or a mapping) as JSON."""
    return _ENCODER.encode(record)


def decode_alert(value: bytes | None) -> Alert:
    """The alert in a record of `mutt.alerts`. Raises RecordRejected (foreign) for anything `encode` did not write."""
    if value is None:
        raise RecordRejected(Reason.FOREIGN, "null value")
    try:
        value.decode()
        return _ALERT.decode(value)
    except _REFUSALS as error:
        raise RecordRejected(Reason.FOREIGN, f"no alert of mutt: {error}") from None
