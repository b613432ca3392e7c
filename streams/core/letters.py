"""Dead letters as records on `mutt.dlq`: our headers, and those of the other tools that write there."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable

from schemas.dead_letters import HEADER_PREFIX, REPLAY_HEADER, DeadLetter, Headers, Reason
from schemas.events import Position
from streams.core.foreign_letters import foreign_letter
from streams.core.letter_headers import clean_detail, offset_number, partition_number, read, timestamp_ms, topic_name

RECORD_LIMIT = 2 * 1024 * 1024
"""Bytes of key, value and headers of a letter on the topic at most; a longer one is cut there, never in the table."""
CUT_LENGTH = 64 * 1024
"""Bytes of value (and of key) that a cut letter keeps on the topic."""
CUT_MARK = "cut on the topic:"
"""The detail of a cut copy begins with it: its bytes are not the original's, so it is never sent again."""
LetterRecord = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record, byte for byte."""

HEADER_FIELDS = (
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
"""What our headers tell, each under HEADER_PREFIX and this name."""
_OUR_NAMES = {(HEADER_PREFIX + name).encode(): name for name in HEADER_FIELDS}


def header_names(headers: Iterable[tuple[str | bytes, bytes | None]] | None) -> Headers:
    """Headers with names as the bytes on the wire; text names may hold undecodable bytes as surrogate escapes."""
    if not headers:
        return ()
    return tuple(
        (name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape"), value) for name, value in headers
    )


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
        return foreign_letter(position, (key, value, headers))
    ours = set(last.values())
    rest = tuple(header for at, header in enumerate(headers) if at not in ours)
    try:
        return _ours({_OUR_NAMES[name]: headers[at][1] for name, at in last.items()}, (key, value, rest))
    except ValueError as error:
        return foreign_letter(position, (key, value, headers), (f"mutt {error}",))


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
    """In the order of HEADER_FIELDS."""
    first, last = letter.first_failed_at, letter.last_failed_at
    first_text = _moment(first)
    texts = (
        str(letter.id), letter.stage.value, letter.reason.value, detail, letter.topic, str(letter.partition),
        str(letter.offset), str(letter.timestamp), str(letter.attempts), first_text,
        first_text if last is first else _moment(last), str(letter.replays),
    )  # fmt: skip
    return tuple(zip(_OUR_NAMES, [text.encode("utf-8", "backslashreplace") for text in texts], strict=True))


def _moment(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat()


def _ours(fields: dict[str, bytes | None], record: LetterRecord) -> DeadLetter:
    """The letter that our headers describe. Raises ValueError naming the first header that is missing or wrong."""
    if missing := [name for name in HEADER_FIELDS if fields.get(name) is None]:
        raise ValueError(f"no {missing[0]}")
    given = {name: data for name, data in fields.items() if data is not None}
    key, value, headers = record
    return DeadLetter(
        id=read(given, "id", lambda data: uuid.UUID(data.decode())),
        reason=read(given, "reason", lambda data: Reason(data.decode())),
        detail=read(given, "detail", lambda data: clean_detail(data.decode())),
        topic=read(given, "topic", topic_name),
        partition=read(given, "partition", partition_number),
        offset=read(given, "offset", offset_number),
        timestamp=read(given, "timestamp", timestamp_ms),
        key=key,
        value=value,
        headers=headers,
        attempts=read(given, "attempts", partition_number),
        first_failed_at=read(given, "first_failed_at", _instant),
        last_failed_at=read(given, "last_failed_at", _instant),
    )


def _instant(data: bytes) -> dt.datetime:
    instant = dt.datetime.fromisoformat(data.decode())
    if instant.tzinfo is None:
        raise ValueError("no zone")
    return instant.astimezone(dt.UTC)
