"""Dead letters as records on `mutt.dlq`: our headers, and those of the other tools that write there."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from schemas.dead_letters import HEADER_PREFIX, REPLAY_HEADER, DeadLetter, Headers, Reason
from schemas.events import Position, derived_id

RECORD_LIMIT = 2 * 1024 * 1024
"""Bytes of key, value and headers of a letter on the topic at most; a longer one is cut there, never in the table."""
CUT_LENGTH = 64 * 1024
"""Bytes of value (and of key) that a cut letter keeps on the topic."""
CUT_MARK = "cut on the topic:"
"""The detail of a cut copy begins with it: its bytes are not the original's, so it is never sent again."""
DETAIL_LIMIT = 2000

T = TypeVar("T")

LetterRecord = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record, byte for byte."""

_LATEST_MS = 253_402_300_799_999
_TOPIC_NAME = re.compile(rb"[a-zA-Z0-9._-]{1,249}")
_DIGITS = re.compile(rb"[0-9]{1,19}")
_OURS = (
    "id",
    "stage",
    "reason",
    "detail",
    "topic",
    "partition",
    "offset",
    "timestamp",
    "attempts",
    "first_failed_at",
    "last_failed_at",
    "replays",
)
_OUR_NAMES = {(HEADER_PREFIX + name).encode(): name for name in _OURS}


def header_names(headers: Iterable[tuple[str | bytes, bytes | None]] | None) -> Headers:
    """Headers with names as the bytes on the wire; text names may hold undecodable bytes as surrogate escapes."""
    return tuple(
        (name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape"), value)
        for name, value in headers or ()
    )


def clean_detail(text: str) -> str:
    """Text of unknown origin as a detail: control characters visible, no lone surrogates, at most DETAIL_LIMIT long."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if len(shown) <= DETAIL_LIMIT else shown[: DETAIL_LIMIT - 1] + "…"


def to_record(letter: DeadLetter) -> LetterRecord:
    """The letter as a record on `mutt.dlq`: the original key, value and headers, then ours, which count.

    Beyond RECORD_LIMIT the copy is cut: value (and key) to CUT_LENGTH bytes, then the original headers where
    they alone are too long; the detail header begins with CUT_MARK and gives length and SHA-256 of what was cut.
    """
    if _size(letter.key, letter.value, letter.headers) <= RECORD_LIMIT:
        return letter.key, letter.value, letter.headers + _our_headers(letter, letter.detail)
    cuts: list[str] = []
    value = _cut("value", letter.value, cuts)
    key = _cut("key", letter.key, cuts)
    headers = letter.headers
    if _size(key, value, headers) > RECORD_LIMIT:
        cuts.append(f"{len(headers)} headers left out, {_size(None, None, headers)} bytes")
        headers = ()
    detail = clean_detail(f"{CUT_MARK} {', '.join(cuts)}; {letter.detail}")
    return key, value, headers + _our_headers(letter, detail)


def from_record(position: Position, key: bytes | None, value: bytes | None, headers: Headers) -> DeadLetter:
    """The letter that a record on `mutt.dlq` stands for; `position` is the record's own there.

    With our headers complete and well formed it is ours (of a name that repeats the last counts; how often it was
    replayed is never read from a header). Any other record is `foreign`: kept whole, its origin read from the
    headers of Kafka Connect, Kafka Streams, share groups or Spring, and what cannot be read named in the detail.
    """
    last = {name: at for at, (name, _) in enumerate(headers) if name in _OUR_NAMES}
    if not last:
        return _foreign(position, (key, value, headers))
    ours = set(last.values())
    rest = tuple(header for at, header in enumerate(headers) if at not in ours)
    try:
        return _ours({_OUR_NAMES[name]: headers[at][1] for name, at in last.items()}, (key, value, rest))
    except ValueError as error:
        return _foreign(position, (key, value, headers), (f"mutt {error}",))


def named_letter(headers: Headers) -> uuid.UUID | None:
    """The letter that the last replay header of a record names, where it names one."""
    last = next((data for name, data in reversed(headers) if name == REPLAY_HEADER.encode()), None)
    try:
        return uuid.UUID((last or b"").decode("ascii"))
    except ValueError:
        return None


def is_cut(letter: DeadLetter) -> bool:
    """Whether only a cut copy of the letter is left (it was read back from the topic)."""
    return letter.detail.startswith(CUT_MARK)


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    return len(key or b"") + len(value or b"") + sum(len(name) + len(text or b"") + 10 for name, text in headers)


def _cut(what: str, data: bytes | None, cuts: list[str]) -> bytes | None:
    if data is None or len(data) <= CUT_LENGTH:
        return data
    cuts.append(f"{what} of {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    return data[:CUT_LENGTH]


def _our_headers(letter: DeadLetter, detail: str) -> Headers:
    texts = {
        "id": str(letter.id),
        "stage": letter.stage.value,
        "reason": letter.reason.value,
        "detail": detail,
        "topic": letter.topic,
        "partition": str(letter.partition),
        "offset": str(letter.offset),
        "timestamp": str(letter.timestamp),
        "attempts": str(letter.attempts),
        "first_failed_at": letter.first_failed_at.astimezone(dt.UTC).isoformat(),
        "last_failed_at": letter.last_failed_at.astimezone(dt.UTC).isoformat(),
        "replays": str(letter.replays),
    }
    return tuple((name, texts[field].encode("utf-8", "backslashreplace")) for name, field in _OUR_NAMES.items())


def _ours(fields: dict[str, bytes | None], record: LetterRecord) -> DeadLetter:
    """The letter that our headers describe. Raises ValueError naming the first header that is missing or wrong."""
    if missing := [name for name in _OURS if fields.get(name) is None]:
        raise ValueError(f"no {missing[0]}")
    given = {name: data for name, data in fields.items() if data is not None}
    key, value, headers = record
    return DeadLetter(
        id=_read(given, "id", lambda data: uuid.UUID(data.decode())),
        reason=_read(given, "reason", lambda data: Reason(data.decode())),
        detail=_read(given, "detail", lambda data: clean_detail(data.decode())),
        topic=_read(given, "topic", _topic),
        partition=_read(given, "partition", _partition),
        offset=_read(given, "offset", _offset),
        timestamp=_read(given, "timestamp", _timestamp),
        key=key,
        value=value,
        headers=headers,
        attempts=_read(given, "attempts", _partition),
        first_failed_at=_read(given, "first_failed_at", _instant),
        last_failed_at=_read(given, "last_failed_at", _instant),
    )


def _read(fields: Mapping[str, bytes], name: str, kind: Callable[[bytes], T]) -> T:
    try:
        return kind(fields[name])
    except (ValueError, OverflowError):
        raise ValueError(name) from None


def _topic(data: bytes) -> str:
    if not _TOPIC_NAME.fullmatch(data):
        raise ValueError("no topic name")
    return data.decode()


def _text_number(limit: int) -> Callable[[bytes], int]:
    def read(data: bytes) -> int:
        if not _DIGITS.fullmatch(data) or int(data) > limit:
            raise ValueError("no number within bounds")
        return int(data)

    return read


def _binary_number(length: int, limit: int) -> Callable[[bytes], int]:
    def read(data: bytes) -> int:
        if len(data) != length or not 0 <= (number := int.from_bytes(data, "big", signed=True)) <= limit:
            raise ValueError("no number within bounds")
        return number

    return read


_partition = _text_number(2**31 - 1)
_offset = _text_number(2**63 - 1)
_timestamp = _text_number(_LATEST_MS)


def _instant(data: bytes) -> dt.datetime:
    instant = dt.datetime.fromisoformat(data.decode())
    if instant.tzinfo is None:
        raise ValueError("no zone")
    return instant.astimezone(dt.UTC)


@dataclass(frozen=True, slots=True)
class _Family:
    """How one tool names the origin of its dead letters, and how it writes numbers."""

    tool: str
    prefix: bytes
    partition: Callable[[bytes], int] = _partition
    offset: Callable[[bytes], int] = _offset
    messages: tuple[bytes, ...] = (b"message",)

    def is_in(self, last: Mapping[bytes, bytes | None]) -> bool:
        return any(self.prefix + part in last for part in (b"topic", b"partition", b"offset"))


_FAMILIES = (
    _Family("Kafka Connect", b"__connect.errors.", messages=(b"__connect.errors.exception.message",)),
    _Family(
        "Kafka Streams", b"__streams.errors.", messages=(b"__streams.errors.message", b"__streams.errors.exception")
    ),
    _Family("share group", b"__dlq.errors.", messages=(b"__dlq.errors.message",)),
    _Family(
        "Spring",
        b"kafka_dlt-original-",
        partition=_binary_number(4, 2**31 - 1),
        offset=_binary_number(8, 2**63 - 1),
        messages=(b"kafka_dlt-exception-message", b"kafka_dlt-exception-fqcn"),
    ),
)


def _foreign(position: Position, record: LetterRecord, faults: tuple[str, ...] = ()) -> DeadLetter:
    """A letter of another tool: of the families present the first that is well formed tells the origin."""
    key, value, headers = record
    last = dict(headers)
    origin, tool, message = (position.topic, position.partition, position.offset), "another tool", ""
    unreadable = list(faults)
    for family in reversed([family for family in _FAMILIES if family.is_in(last)]):
        try:
            origin = _origin(family, last)
        except ValueError as error:
            unreadable.insert(len(faults), f"{family.tool} {error}")
            continue
        tool, message = family.tool, _first_text(last, family.messages)
    detail = f"put there by {tool}" + (f": {message}" if message else "")
    if unreadable:
        detail = f"headers that cannot be read: {', '.join(unreadable)}; {detail}"
    when = dt.datetime.fromtimestamp(min(max(position.timestamp, 0), _LATEST_MS) / 1000, dt.UTC)
    return DeadLetter(
        id=derived_id("foreign", position),
        reason=Reason.FOREIGN,
        detail=clean_detail(detail),
        topic=origin[0],
        partition=origin[1],
        offset=origin[2],
        timestamp=min(max(position.timestamp, 0), _LATEST_MS),
        key=key,
        value=value,
        headers=headers,
        first_failed_at=when,
        last_failed_at=when,
    )


def _origin(family: _Family, last: Mapping[bytes, bytes | None]) -> tuple[str, int, int]:
    """Topic, partition and offset. Raises ValueError naming the part that is missing or malformed."""
    parts = {name: last.get(family.prefix + name.encode()) for name in ("topic", "partition", "offset")}
    given = {name: data for name, data in parts.items() if data is not None}
    if missing := [name for name in parts if name not in given]:
        raise ValueError(missing[0])
    return (
        _read(given, "topic", _topic),
        _read(given, "partition", family.partition),
        _read(given, "offset", family.offset),
    )


def _first_text(last: Mapping[bytes, bytes | None], names: tuple[bytes, ...]) -> str:
    return next((data.decode("utf-8", "replace") for name in names if (data := last.get(name))), "")
