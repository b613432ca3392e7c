"""Records on `mutt.dlq`: whoever wrote the headers, a letter comes of them, byte-equal, that the table takes."""

from __future__ import annotations

import re

from schemas.dead_letters import DeadLetter, Headers, Reason
from schemas.events import Position
from schemas.rows import DEAD_LETTERS, letter_row
from streams.core.letters import from_record, named_letter, to_record
from tests.fuzz.targets.reader import Reader

HERE = Position("mutt.dlq", 0, 7, 1_772_366_400_000)
_OURS = ("id", "stage", "reason", "detail", "topic", "partition", "offset", "timestamp", "attempts", "first_failed_at",
         "last_failed_at", "replays")  # fmt: skip
_PARTS = ("topic", "partition", "offset", "exception.message", "connector.name", "stage", "message", "delivery.count")
NAMES = (
    *(f"mutt.dlq.{name}".encode() for name in _OURS),
    *(f"{tool}.errors.{part}".encode() for tool in ("__connect", "__streams", "__dlq") for part in _PARTS),
    b"kafka_dlt-original-topic", b"kafka_dlt-original-partition", b"kafka_dlt-original-offset",
    b"kafka_dlt-exception-message", b"", b"other",
)  # fmt: skip
VALUES = (
    None, b"", b"0", b"7", b"mutt.ingest.syslog", b"\0\0\0\1", b"\0" * 8, b"6f1d4c1e-6a53-5b8e-9b57-0c6d75747421",
    b"json", b"2026-03-01T12:00:00+00:00", b"-1", b"9" * 19, b"\xff" * 8,
)  # fmt: skip
_COMPLETE: Headers = tuple(
    zip(NAMES[:12], (VALUES[7], b"decode", b"json", b"d", b"t", b"1", b"2", b"3", b"1", VALUES[9], VALUES[9], b"0"),
        strict=True)
)  # fmt: skip
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


def check(data: bytes) -> None:
    reader = Reader(data)
    headers: Headers = _COMPLETE if reader.number() % 2 else ()
    for _ in range(reader.number() % 24):
        name = reader.short() if reader.number() % 8 == 7 else reader.choice(NAMES)
        value = reader.short() if reader.number() % 2 else reader.choice(VALUES)
        headers += ((name, value),)
    key, value = reader.short() or None, reader.rest()
    letter = from_record(HERE, key, value, headers)
    named_letter(headers)
    assert (letter.key, letter.value) == (key, value)
    if letter.reason is Reason.FOREIGN and letter.id.version == 5 and "put there by" in letter.detail:
        assert letter.headers == headers, "a foreign letter lost a header"
    _is_storable(letter)
    again = from_record(HERE, *to_record(letter))
    assert again.headers == letter.headers
    assert (again.id, again.reason, again.topic, again.offset) == (
        letter.id,
        letter.reason,
        letter.topic,
        letter.offset,
    )


def _is_storable(letter: DeadLetter) -> None:
    assert 0 < len(letter.detail) <= 2000 or letter.reason is not Reason.FOREIGN
    assert letter.detail.isprintable()
    letter.detail.encode()
    assert _TOPIC.fullmatch(letter.topic)
    assert 0 <= letter.partition < 2**31
    assert 0 <= letter.offset < 2**63
    assert 0 <= letter.attempts < 2**31
    assert letter.first_failed_at.tzinfo is not None
    assert len(letter_row(letter)) == len(DEAD_LETTERS)
