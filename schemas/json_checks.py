"""What JSON decoders let through and mutt does not: encoding, depth, names twice, bounds; which reason is first."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, NoReturn

import msgspec

from schemas.bounds import INTEGER_MAX, INTEGER_MIN, VARBIND_LIMIT, is_correlation_id, is_oid
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import HOSTNAME_LIMIT, SOURCE_LIMIT, Event
from schemas.syslog import parse_structured_data

BOM = b"\xef\xbb\xbf"
DEPTH_LIMIT = 64

_WHITE = b" \t\r\n"
_READ_KEYS = re.compile(rb'"(' + "|".join(Event.__struct_fields__).encode() + rb')"[ \t\r\n]*:')
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SYNTAX = msgspec.json.Decoder(msgspec.Raw)


class Members(list[tuple[str, Any]]):
    """A JSON object as it was written: its members in order, names that repeat included."""


class Number(str):
    """A JSON number beyond what Python reads exactly, as it was written."""


def strip_bom(value: bytes) -> bytes:
    """The value without the one byte order mark it may start with."""
    return value.removeprefix(BOM)


def too_deep(value: bytes) -> bool:
    """Whether brackets outside strings nest deeper than DEPTH_LIMIT, closed or not."""
    if value.count(b"[") + value.count(b"{") <= DEPTH_LIMIT:
        return False
    outside = _STRING.sub(b"", value)
    steps = array("b", outside.translate(_BRACKETS, _NO_BRACKETS))
    return max(accumulate(steps), default=0) > DEPTH_LIMIT


def accounts_for(event: Event, value: bytes) -> bool:
    """Whether every quote of a record without escapes belongs to what the event holds: nothing stands there twice, and
    nothing is unread. Means nothing for an event whose fields were written in other types than they have now."""
    return value.count(b'"') == _quotes(event)


def may_repeat(value: bytes, event: Event, *, escaped: bool) -> bool:
    """A quick answer whether a name mutt reads may stand there twice; False is certain, True asks for `repeats`.

    One pattern counts the names mutt reads. A name spelt with an escape needs `\\u00`; names inside objects that mutt
    reads are not counted.
    """
    if event.varbinds or event.structured_data or (escaped and b"\\u00" in value):
        return True
    names = _READ_KEYS.findall(value)
    return len(names) != len(set(names))


def _quotes(event: Event) -> int:
    """How many quotes a record without escapes needs for this event."""
    texts = (event.source, event.program, event.procid, event.msgid, event.trap_oid, event.correlation_id)
    numbers = (event.syslog_severity, event.facility)
    count = 40 - 4 * texts.count(None) - 2 * numbers.count(None)
    if event.varbinds is not None:
        count += 2 + _inner_quotes(event.varbinds)
    if event.structured_data is not None:
        count += 2 + _inner_quotes(event.structured_data)
    return count


def _inner_quotes(node: object) -> int:
    if type(node) is str:
        return 2
    if type(node) is dict:
        return 2 * len(node) + sum(map(_inner_quotes, node.values()))
    return sum(map(_inner_quotes, node)) if type(node) is list else 0


def repeats(value: bytes) -> bool:
    """The exact answer: whether a field mutt reads stands there twice. The value is one JSON object in UTF-8."""
    return _repeated(_members(value.decode())) is not None


def first_repeat(text: str) -> str | None:
    """The JSON pointer of the first name that stands twice in one object, anywhere. The text is valid JSON and at most
    64 levels deep."""
    return _repeated_inside(_loaded(text), "")


def explain(value: bytes, key_host: str | None, suspicion: str = "") -> NoReturn:
    """Raises RecordRejected with the first reason that applies to a value no event could be made of.

    `key_host` is the host name the record's key would give where the event says "-"; `suspicion` is the detail for a
    fault that only the typed decoder saw.
    """
    text = _text(value)
    if too_deep(value):
        raise RecordRejected(Reason.DEPTH, f"nested deeper than {DEPTH_LIMIT}")
    try:
        _SYNTAX.decode(value)
    except msgspec.DecodeError as error:
        raise RecordRejected(Reason.JSON, str(error)) from None
    if value.strip(_WHITE)[:1] != b"{":
        raise RecordRejected(Reason.NOT_OBJECT, "the value is JSON, but no object")
    _explain_members(_members(text), key_host)
    raise RecordRejected(Reason.FIELD, suspicion)


def _text(value: bytes) -> str:
    if not value.strip(_WHITE):
        raise RecordRejected(Reason.EMPTY, "no bytes, or white space only")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise RecordRejected(Reason.ENCODING, f"not UTF-8 at byte {error.start}") from None


def _explain_members(members: Members, key_host: str | None) -> None:
    for name, node in members:
        if name == "varbinds" and isinstance(node, Members) and len(node) > VARBIND_LIMIT:
            raise RecordRejected(Reason.TOO_LARGE, f"/varbinds: more than {VARBIND_LIMIT:,} of them")
    pointer = _repeated(members)
    if pointer is not None:
        raise RecordRejected(Reason.DUPLICATE_KEY, f"{pointer} stands there twice")
    fields = dict(members)
    for name in ("timestamp", "hostname", "message"):
        if fields.get(name) is None:
            raise RecordRejected(Reason.MISSING_FIELD, f"/{name} is absent or null")
    if fields["hostname"] == "-" and key_host is None:
        raise RecordRejected(Reason.MISSING_FIELD, '/hostname is "-" and the record key names no host')
    for pointer, bound in _field_faults(fields):
        raise RecordRejected(Reason.FIELD, f"{pointer}: must be {bound}")


def _members(text: str) -> Members:
    """The object, with its members as written. The text is known to be valid JSON and at most 64 levels deep."""
    loaded = _loaded(text)
    assert isinstance(loaded, Members)
    return loaded


def _loaded(text: str) -> object:
    loaded: object = _AS_WRITTEN.decode(text)
    return loaded


def _integer(digits: str) -> int | Number:
    return int(digits) if len(digits) <= 20 else Number(digits)


def _float(digits: str) -> float | Number:
    number = float(digits)
    return Number(digits) if number in (float("inf"), float("-inf")) else number


_AS_WRITTEN = json.JSONDecoder(object_pairs_hook=Members, parse_int=_integer, parse_float=_float)


def _repeated(members: Members) -> str | None:
    """The JSON pointer of the first name that mutt reads and that stands there twice."""
    seen: set[str] = set()
    for name, node in members:
        if name not in _READ:
            continue
        if name in seen:
            return pointer_to("", name)
        seen.add(name)
        if name in ("varbinds", "structured_data"):
            inner = _repeated_inside(node, f"/{name}")
            if inner is not None:
                return inner
    return None


def _repeated_inside(node: object, path: str) -> str | None:
    if not isinstance(node, list):
        return None
    named = isinstance(node, Members)
    seen: set[str] = set()
    for name, child in node if named else ((str(at), child) for at, child in enumerate(node)):
        if name in seen:
            return pointer_to(path, name)
        seen.add(name)
        inner = _repeated_inside(child, pointer_to(path, name))
        if inner is not None:
            return inner
    return None


def pointer_to(path: str, name: str) -> str:
    """One step further on an RFC 6901 pointer; long names are cut, the detail is for people."""
    return f"{path}/{name[:80].replace('~', '~0').replace('/', '~1')}"


def _field_faults(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(JSON pointer, what it must be) of each read field that is wrong."""
    for name, (holds, bound) in _BOUNDS.items():
        node = fields.get(name)
        if node is not None and not holds(node):
            yield f"/{name}", bound
        elif name == "varbinds" and node is not None:
            yield from _varbind_faults(node)


def _varbind_faults(members: Members) -> Iterator[tuple[str, str]]:
    for name, node in members:
        if not is_oid(name):
            yield pointer_to("/varbinds", name), "named by an OID"
        elif not _is_varbind(node):
            yield (
                pointer_to("/varbinds", name),
                "a text, a finite number, true, false or null; integers -2^63 to 2^64-1",
            )


def _is_text(node: object) -> bool:
    return isinstance(node, str) and not isinstance(node, Number)


def _is_integer(node: object, most: int) -> bool:
    return type(node) is int and 0 <= node <= most


def _is_timestamp(node: object) -> bool:
    return isinstance(node, (str, int, float)) and not isinstance(node, bool)


def _is_varbind(node: object) -> bool:
    if type(node) is int:
        return INTEGER_MIN <= node <= INTEGER_MAX
    return not isinstance(node, (Number, list))


def _is_structured(node: Any) -> bool:
    """An object down to values that can be stored again, or RFC 5424 text."""
    if isinstance(node, Members):
        return all(map(_is_stored, (child for _, child in node)))
    return _is_text(node) and (node in ("", "-") or parse_structured_data(node) is not None)


def _is_stored(node: object) -> bool:
    if isinstance(node, Members):
        return all(map(_is_stored, (child for _, child in node)))
    return all(map(_is_stored, node)) if isinstance(node, list) else _is_varbind(node)


_TEXT = (_is_text, "a text")
_BOUNDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "timestamp": (_is_timestamp, "a text (RFC 3339 with zone)"),
    "hostname": (
        lambda node: _is_text(node) and len(node) <= HOSTNAME_LIMIT and not node.isspace() and node != "",
        f"a text of 1 to {HOSTNAME_LIMIT} characters that is not blank",
    ),
    "message": _TEXT,
    "source": (
        lambda node: _is_text(node) and 1 <= len(node) <= SOURCE_LIMIT,
        f"a text of 1 to {SOURCE_LIMIT} characters",
    ),
    "syslog_severity": (lambda node: _is_integer(node, 7), "an integer from 0 to 7"),
    "facility": (lambda node: _is_integer(node, 23), "an integer from 0 to 23"),
    "program": _TEXT,
    "procid": _TEXT,
    "msgid": _TEXT,
    "structured_data": (_is_structured, "an object, or RFC 5424 text; integers -2^63 to 2^64-1"),
    "trap_oid": (lambda node: _is_text(node) and is_oid(node), "a dotted OID of at most 128 arcs below 2^32"),
    "varbinds": (lambda node: isinstance(node, Members), "an object of OIDs and values"),
    "correlation_id": (
        lambda node: _is_text(node) and is_correlation_id(node),
        "1 to 64 visible ASCII characters",
    ),
}
_READ = frozenset(_BOUNDS)
