"""The codec: an event or one documented reason, the same by every way, and never against Python's own JSON reader."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from schemas.codec import decode, encode
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import Decoded
from schemas.plain import decode_plain
from schemas.topics import SNMP, SYSLOG, Topic
from tests.fuzz.targets.reader import Reader

REASONS = frozenset(list(Reason)[: list(Reason).index(Reason.LINE)])
KEYS = (b"h1", None, b"", b"\xff")
RAISES = object()


def check(data: bytes) -> None:
    reader = Reader(data)
    how = reader.number()
    topic, key, value = (SYSLOG, SNMP)[how & 1], KEYS[how >> 1 & 3], reader.rest()
    plain = decode_plain([value], topic)
    try:
        decoded = decode(value, topic, key)
    except RecordRejected as rejected:
        assert plain is None, "read together, but not alone"
        _is_refused_rightly(rejected, value)
        return
    assert plain is None or plain == [decoded], "read together it is another event"
    _is_sound(decoded, value, topic)


def _is_refused_rightly(rejected: RecordRejected, value: bytes) -> None:
    assert rejected.reason in REASONS
    assert rejected.detail
    stands = strict(value)
    if rejected.reason is Reason.JSON:
        assert stands is RAISES, "refused as no JSON, but it is some"
    elif rejected.reason is Reason.NOT_OBJECT:
        assert stands is not RAISES
        assert not isinstance(stands, dict)
    elif rejected.reason in (Reason.MISSING_FIELD, Reason.FIELD, Reason.DUPLICATE_KEY):
        assert isinstance(stands, dict), "a reason of objects, but it is none"


def _is_sound(decoded: Decoded, value: bytes, topic: Topic) -> None:
    event, stands = decoded.event, strict(value)
    assert isinstance(stands, dict), "an event, but no JSON object"
    assert event.message == stands["message"]
    assert event.hostname == stands["hostname"] or stands["hostname"] == "-"
    assert event.source == stands.get("source") or event.source == topic.source
    assert 1 <= len(event.hostname) <= 255
    assert event.hostname.strip()
    again = decode(encode(event), topic)
    assert (again.event, again.event_time) == (event, decoded.event_time), "written and read again it is another event"


def strict(value: bytes) -> Any:
    """What the bytes say as JSON in UTF-8 after at most one byte order mark; RAISES where they are none."""
    try:
        text = value.removeprefix(b"\xef\xbb\xbf").decode()
        stands = json.loads(text, parse_constant=_none, parse_int=_short)
        json.dumps(stands, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return RAISES
    return stands


def _none(word: str) -> NoReturn:
    raise ValueError(word)


def _short(digits: str) -> int:
    """Python reads no more than 4,300 digits; how many there are means nothing here."""
    return int(digits[:50])
