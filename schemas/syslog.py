"""Raw syslog lines into events: RFC 5424 to the letter, RFC 3164 as devices write it, anything else kept whole."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import HOSTNAME_LIMIT, MESSAGE_LIMIT, Decoded, Event, EventFormat, Flag
from schemas.syslog_times import BSD, ISO, moment_of, utc
from schemas.topics import MIB

LINE_LIMIT = MIB
UNKNOWN_HOST = "unknown"

_PRI = r"<(0|[1-9]\d?|1[0-8]\d|19[01])>"
_SD_NAME = r"[!#-<>-\\^-~]{1,32}"
_PARAM = rf' {_SD_NAME}="(?:[^"\\\]]++|\\.)*+"'
_ELEMENTS = rf"(?:\[{_SD_NAME}(?:{_PARAM})*+\])++"
_RFC5424 = re.compile(
    rf"{_PRI}[1-9]\d{{0,2}} "
    r"(-|\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)) "
    rf"([!-~]{{1,255}}) ([!-~]{{1,48}}) ([!-~]{{1,128}}) ([!-~]{{1,32}}) (-|{_ELEMENTS})(?: (.*))?\Z",
    re.DOTALL | re.ASCII,
)
_STRUCTURED = re.compile(_ELEMENTS, re.DOTALL)
_ELEMENT = re.compile(rf"\[({_SD_NAME})((?:{_PARAM})*+)\]", re.DOTALL)
_PAIR = re.compile(rf' ({_SD_NAME})="((?:[^"\\\]]++|\\.)*+)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\\]])')

_FRONT = r"(?:(?:\d{1,12})?: )?(?:([A-Za-z0-9][\w.-]{0,254}): )?(?:\d{1,12}: )?[*.]?"
"""A relay's or device's sequence number, and the host where NX-OS and IOS write it."""
_RFC3164 = re.compile(rf"(?:{_PRI})? ?{_FRONT}({BSD}|{ISO})(?=[ :]|\Z) ?:? *", re.ASCII)
_NO_HOST = re.compile(r"%|last message repeated |-- MARK --")
_FORWARDED = re.compile(r"(?:Message )?forwarded from ([\w.:-]{1,255}): ", re.ASCII | re.IGNORECASE)
_HOST = re.compile(r"(\w[\w.:%@/-]{0,254})(?: +|\Z)(?:: )?", re.ASCII)
_TAG = re.compile(r"([\w./(][\w./()@$+-]{0,63})(?:\[([^\]\s]{0,128})\]:?|:)(?: |\Z)", re.ASCII)
_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}:?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_COUNTED = re.compile(rb"[1-9]\d{0,7} (?=<\d)")
_LEADING_PRI = re.compile(rf"(?:[1-9]\d{{0,7}} )?{_PRI}(?!<)", re.ASCII)
_KEPT = re.compile(r"[^\x00-\x20\x7f-\xa0]")
_BOM = "\ufeff"
_LATIN1_BOM = "\u00ef\u00bb\u00bf"
_NO_TIME = (Flag.NO_EVENT_TIME,)


def parse_line(
    line: bytes | None,
    *,
    default_source: str = "syslog",
    key: bytes | None = None,
    received: dt.datetime | None = None,
) -> Decoded:
    """The event in one raw line, without its frame; a line that is neither format is an event with the whole line.

    A time without a zone is kept as text and gives no `event_time`: nobody knows which zone was meant. `key` (of the
    record) names the host only where the line names none; `received` (aware) gives the year to a time with a zone but
    without a year. Raises RecordRejected: tombstone, too_large, empty, line.
    """
    text, latin1 = _text(line)
    decoded = _rfc5424(text, latin1, key) or _rfc3164(text, key, received)
    if decoded is None:
        assert line is not None
        decoded = _other(_unframed(line, latin1), key)
    event = decoded.event
    event.source = default_source
    if latin1:
        decoded.flags += (Flag.LATIN1,)
    if len(event.message) > MESSAGE_LIMIT:
        decoded.flags += (Flag.MESSAGE_CUT,)
    if "\0" in text:
        decoded.flags += (Flag.NUL_SHOWN,)
    return decoded


def _text(line: bytes | None) -> tuple[str, bool]:
    """The line without what transports put around it, and whether it had to be read as ISO 8859-1."""
    if line is None:
        raise RecordRejected(Reason.TOMBSTONE, "null value")
    if len(line) > LINE_LIMIT:
        raise RecordRejected(Reason.TOO_LARGE, f"{len(line):,} bytes; at most {LINE_LIMIT:,}")
    if not line or line.isspace():
        raise RecordRejected(Reason.EMPTY, "no bytes, or white space only")
    if line[-1] <= 13:
        line = _without_end(line)
    if line[:1] != b"<":
        line = _without_front(line)
    try:
        return line.decode(), False
    except UnicodeDecodeError:
        return line.decode("latin-1"), True


def _without_end(line: bytes) -> bytes:
    """Without one line end and one NUL, in either order."""
    bare = line.removesuffix(b"\0")
    ended = bare.removesuffix(b"\n").removesuffix(b"\r")
    return ended if len(bare) < len(line) else ended.removesuffix(b"\0")


def _without_front(line: bytes) -> bytes:
    """Without a byte order mark, an octet count (RFC 6587) and one space, in front."""
    if line.startswith(b"\xef\xbb\xbf"):
        line = line[3:]
        if not line or line.isspace():
            raise RecordRejected(Reason.EMPTY, "no bytes, or white space only")
    line = line.removeprefix(b" ")
    counted = _COUNTED.match(line)
    return line[counted.end() :] if counted else line


def _unframed(line: bytes, latin1: bool) -> str:
    """All of a line that is kept whole: only its end is taken off."""
    return _without_end(line).decode("latin-1" if latin1 else "utf-8")


def _rfc5424(text: str, latin1: bool, key: bytes | None) -> Decoded | None:
    match = _RFC5424.match(text)
    if match is None:
        return None
    pri, timestamp, host, program, procid, msgid, elements, message = match.groups()
    moment = None if timestamp == "-" else utc(timestamp)
    if moment is None and timestamp != "-" and not _beyond_calendar(timestamp):
        return None
    structured = None
    if elements != "-":
        structured = _structured(elements)
        if structured is None:
            return None
    if message is None:
        message = ""
    elif latin1 and message.startswith(_LATIN1_BOM):
        return None  # a byte order mark promises UTF-8
    code = int(pri)
    event = Event(
        timestamp=None if timestamp == "-" else timestamp,
        hostname=_host_or_key(None if host == "-" else host, key),
        message=message.removeprefix(_BOM),
        syslog_severity=code & 7,
        facility=code >> 3,
        program=None if program == "-" else program,
        procid=None if procid == "-" else procid,
        msgid=None if msgid == "-" else msgid,
        structured_data=structured,
    )
    return Decoded(event, moment, () if moment is not None else _NO_TIME, EventFormat.RFC5424)


def _beyond_calendar(timestamp: str) -> bool:
    """A well-formed instant before year 1 or after year 9999 in UTC: RFC 5424, though no instant of ours."""
    return timestamp[:4] in ("0000", "0001", "9999") and utc(f"2000{timestamp[4:]}") is not None


def parse_structured_data(text: str) -> dict[str, Any] | None:
    """RFC 5424 STRUCTURED-DATA as {SD-ID: {name: value}}, escapes taken out; None if it is not well-formed.

    A parameter that stands there more than once has a list of its values.
    """
    return _structured(text) if _STRUCTURED.fullmatch(text) else None


def _structured(elements: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for name, params in _ELEMENT.findall(elements):
        if name in found:
            return None
        found[name] = _params(params)
    return found


def _params(text: str) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for name, written in _PAIR.findall(text):
        value = _ESCAPE.sub(r"\1", written) if "\\" in written else written
        if name not in found:
            found[name] = value
            continue
        earlier = found[name]
        if isinstance(earlier, list):
            earlier.append(value)
        else:
            found[name] = [earlier, value]
    return found


def _rfc3164(text: str, key: bytes | None, received: dt.datetime | None) -> Decoded | None:
    match = _RFC3164.match(text)
    if match is None:
        return None
    pri, host, timestamp = match.groups()
    at = match.end()
    if host is None:
        host, at = _host(text, at)
    program = procid = None
    tag = _TAG.match(text, at)
    if tag is not None:
        program, procid = tag.groups()
        at = tag.end()
    event = Event(
        timestamp=timestamp,
        hostname=_host_or_key(host, key),
        message=text[at:],
        program=program,
        procid=procid or None,
    )
    if pri is not None:
        event.facility, event.syslog_severity = divmod(int(pri), 8)
    moment = moment_of(timestamp, received)
    return Decoded(event, moment, () if moment is not None else _NO_TIME, EventFormat.RFC3164)


def _host(text: str, at: int) -> tuple[str | None, int]:
    """The host after the time, and where the tag begins. A first word that is itself a tag or a mnemonic is no host."""
    if _NO_HOST.match(text, at):
        return None, at
    forwarded = _FORWARDED.match(text, at)
    if forwarded is not None:
        return forwarded[1], forwarded.end()
    match = _HOST.match(text, at)
    if match is None:
        return None, at
    word = match[1]
    if word[-1] != ":":
        return word, match.end()
    if text.startswith("%", match.end()) or _ADDRESS.fullmatch(word):
        return word.removesuffix(":"), match.end()
    return None, at


def _other(text: str, key: bytes | None) -> Decoded:
    pri = _LEADING_PRI.match(text)
    if not _KEPT.search(text, pri.end() if pri else 0):
        raise RecordRejected(Reason.LINE, "a PRI alone, or only control characters")
    event = Event(timestamp=None, hostname=_host_or_key(None, key), message=text)
    if pri is not None:
        event.facility, event.syslog_severity = divmod(int(pri[1]), 8)
    return Decoded(event, None, _NO_TIME, EventFormat.OTHER)


def _host_or_key(host: str | None, key: bytes | None) -> str:
    return host or host_of_key(key) or UNKNOWN_HOST


def host_of_key(key: bytes | None) -> str | None:
    """The host name that a record's key gives; None if it is no printable text of 1 to 255 characters, or "-"."""
    if not key or len(key) > 4 * HOSTNAME_LIMIT:
        return None
    try:
        host = key.decode()
    except UnicodeDecodeError:
        return None
    usable = len(host) <= HOSTNAME_LIMIT and host.isprintable() and not host.isspace() and host != "-"
    return host if usable else None


def visible(text: str) -> str:
    """The text with NUL shown as U+2400, for text columns, which refuse it."""
    return text.replace("\0", "\u2400")
