"""Raw syslog lines: nothing is lost, encodings never matter, and what RFC 5424 spells out is read back."""

from __future__ import annotations

import datetime as dt

from schemas.codec import decode
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import Decoded, EventFormat, Flag
from schemas.syslog import parse_line
from schemas.topics import RAW
from tests.fuzz.targets.reader import Reader

RECEIVED = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def check(data: bytes) -> None:
    if data[:1] == b"\x01":
        _read_back(Reader(data[1:]))
        return
    try:
        decoded = parse_line(data, key=b"key", received=RECEIVED)
    except RecordRejected as rejected:
        _is_refused_rightly(rejected, data)
        return
    assert decoded == decode(data, RAW, b"key", RECEIVED)
    _keeps_the_line(decoded, data)


def _is_refused_rightly(rejected: RecordRejected, line: bytes) -> None:
    if rejected.reason is Reason.EMPTY:
        assert not line.removeprefix(b"\xef\xbb\xbf").strip(b" \t\n\r\v\f\0")
    elif rejected.reason is Reason.LINE:
        text = line.decode("utf-8", "replace")
        assert not any(char.isalpha() for char in text), "a letter was there to keep"
    else:
        assert rejected.reason is Reason.TOO_LARGE
        assert len(line) > 1024 * 1024


def _keeps_the_line(decoded: Decoded, line: bytes) -> None:
    event, flags = decoded.event, decoded.flags
    assert 1 <= len(event.hostname) <= 255
    assert (decoded.event_time is None) == (Flag.NO_EVENT_TIME in flags)
    assert event.syslog_severity is None or 0 <= event.syslog_severity <= 7
    assert event.facility is None or 0 <= event.facility <= 23
    assert (event.syslog_severity is None) == (event.facility is None)
    latin = Flag.LATIN1 in flags
    said = event.message.encode("latin-1" if latin else "utf-8")
    if decoded.format is EventFormat.OTHER:
        assert line.startswith(said), "a line of no format is not kept whole"
        assert not line[len(said) :].strip(b"\r\n\0"), "more than its end was taken off"
    else:
        assert said in line, "the message is not what stands in the line"
        assert not line[line.rindex(said) + len(said) :].strip(b"\r\n\0"), "something after the message is lost"
    if not latin:
        line.removesuffix(b"\0").decode()


def _read_back(reader: Reader) -> None:
    """A line written by the rules of RFC 5424 from made-up parts."""
    pri = reader.number() % 192
    host, program, procid, msgid = (_visible(reader.short(), most) for most in (255, 48, 128, 32))
    name, value = _visible(reader.short(), 32).translate(_NO_NAME), reader.text()
    message = reader.text().removeprefix("\ufeff").replace("\0", "").rstrip("\r\n")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
    line = f'<{pri}>1 - {host} {program} {procid} {msgid} [{name or "x"} {name or "x"}="{escaped}"] {message}'
    decoded = parse_line(line.encode(), key=b"key")
    event = decoded.event
    assert decoded.format is EventFormat.RFC5424, line
    assert event.message == message
    assert (event.facility, event.syslog_severity) == divmod(pri, 8)
    absent = [None if text == "-" else text for text in (program, procid, msgid)]
    assert [event.program, event.procid, event.msgid] == absent
    assert event.hostname == ("key" if host == "-" else host)
    assert event.structured_data == {name or "x": {name or "x": value}}


def _visible(data: bytes, most: int) -> str:
    return bytes(33 + byte % 94 for byte in data[:most]).decode() or "-"


_NO_NAME = str.maketrans("", "", '="]')
