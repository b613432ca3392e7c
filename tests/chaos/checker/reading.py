"""Records into what rules look at, by a reader of the checker's own: only what can be read without doubt."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

RAW = "mutt.ingest.raw"
NUL_SHOWN = "\u2400"
_TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d)T[01]\d:[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-]0\d:[0-5]\d)"
)
_NAME = r"[!#-<>-\\^-~]{1,32}"
_PARAM = re.compile(rf' {_NAME}="(?:[^"\\\]]|\\.)*"', re.DOTALL)
_ID = re.compile(_NAME)
_WORD = re.compile(r"[!-~]+")
_LIMITS = (255, 48, 128, 32)
"""Characters of host, app, process and message id (RFC 5424, 6)."""


class Event(NamedTuple):
    """What rules look at."""

    hostname: str
    message: str
    severity: int | None = None
    trap_oid: str | None = None


class UnreadableError(ValueError):
    """The record is certainly no event: it must have become a letter."""


def read(topic: str, key: bytes | None, value: bytes | None) -> Event | None:
    """The event in a record; None where reading it takes more than this reader knows. Raises UnreadableError."""
    if value is None or not value.strip():
        raise UnreadableError("no value")
    return _line(value, key) if topic == RAW else _document(value, key)


def visible(text: str) -> str:
    """The text as text columns hold it."""
    return text.replace("\0", NUL_SHOWN)


def _document(value: bytes, key: bytes | None) -> Event | None:
    try:
        fields = json.loads(value.removeprefix(b"\xef\xbb\xbf").decode("utf-8"), parse_int=_integer)
    except RecursionError:
        return None
    except ValueError as error:
        raise UnreadableError(str(error)) from None
    if not isinstance(fields, dict):
        raise UnreadableError("no object")
    hostname, message = fields.get("hostname"), fields.get("message")
    if not isinstance(hostname, str) or not isinstance(message, str):
        raise UnreadableError("no hostname or no message")
    if hostname == "-":
        named = _host_of(key)
        if named is None:
            return None
        hostname = named
    severity = fields.get("syslog_severity")
    if severity is not None and (type(severity) is not int or not 0 <= severity <= 7):
        raise UnreadableError(f"severity {severity!r}")
    return Event(hostname, message, severity, _oid(fields.get("trap_oid")))


def _integer(digits: str) -> int | float:
    """Beyond 20 digits the exact number plays no part."""
    return int(digits) if len(digits) <= 20 else float(digits)


def _oid(oid: Any) -> str | None:
    if oid is None:
        return None
    if not isinstance(oid, str):
        raise UnreadableError("trap_oid is no text")
    return oid.removeprefix(".")


def _host_of(key: bytes | None) -> str | None:
    try:
        host = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    return host if host.isprintable() and host.strip() and host != "-" and len(host) <= 255 else None


def _line(value: bytes, key: bytes | None) -> Event | None:
    """An RFC 5424 line to the letter; any other line is left to those who know devices."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    priority, end, rest = text.partition(">")
    version, _, rest = rest.partition(" ")
    words = rest.split(" ", 5)
    if not end or len(words) != 6 or not re.fullmatch(r"<(0|[1-9]\d?|1[0-8]\d|19[01])", priority):
        return None
    if not re.fullmatch(r"[1-9]\d{0,2}", version) or not _are_words(words) or value[-1] <= 13:
        return None
    after = _after_elements(words[5])
    if after is None or not (after == "" or after.startswith(" ")):
        return None
    if words[1] == "-" and key is None:
        return None
    host = words[1] if words[1] != "-" else _host_of(key) or "unknown"
    return Event(host, after[1:].removeprefix("\ufeff"), int(priority[1:]) & 7)


def _are_words(words: list[str]) -> bool:
    time, *others, _ = words
    if time != "-" and _TIME.fullmatch(time) is None:
        return False
    return all(_WORD.fullmatch(word) and len(word) <= most for word, most in zip(others, _LIMITS, strict=True))


def _after_elements(text: str) -> str | None:
    """What follows the structured data; None where that is not well-formed."""
    if text.startswith("-"):
        return text[1:]
    at, seen = 0, set()
    while at < len(text) and text[at] == "[":
        name = _ID.match(text, at + 1)
        if name is None or name[0] in seen:
            return None
        seen.add(name[0])
        at = name.end()
        while (param := _PARAM.match(text, at)) is not None:
            at = param.end()
        if text[at : at + 1] != "]":
            return None
        at += 1
    return text[at:] if seen else None
