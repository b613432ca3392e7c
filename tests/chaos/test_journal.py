"""The journal that the producer writes is the one that the checker reads; what it does not tell is unknown."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.checker.files import read_journals
from tests.chaos.journal import Journal
from tests.chaos.traffic import TOPICS, Record

PLACE = (TOPICS[0], 3)


def record(value: bytes | None, **more: object) -> Record:
    return Record(TOPICS[0], b"h1", value, **more)  # type: ignore[arg-type]


def test_each_answer_is_read_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    records = [record(b"one"), record(b"two", expect="rejected:json"), record(b"three"), record(None), record(b"five")]
    for number, one in enumerate(records):
        journal.intent(number, one)
    journal.line(0, "ok", partition=3, offset=7)
    journal.line(1, "ok", partition=3, offset=8)
    journal.line(2, "fail", why="too large")
    journal.line(3, "unknown", why="timed out")
    journal.close()
    read = read_journals([tmp_path / "journal.jsonl"])
    assert [(sent.offset, sent.number, sent.expect) for sent in read.ok[PLACE]] == [
        (7, 0, None),
        (8, 1, "rejected:json"),
    ]
    assert (read.failed.total(), read.unknown.total(), read.records) == (1, 2, 5)


def test_the_same_bytes_are_the_same_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    headers = (("site", b"a"), ("site", b"\xff"))
    for number, one in enumerate([record(b"v", headers=headers), record(b"v", headers=headers), record(b"v")]):
        journal.intent(number, one)
        journal.line(number, "ok", partition=3, offset=number)
    journal.close()
    first, second, other = read_journals([tmp_path / "journal.jsonl"]).ok[PLACE]
    assert first.digest == second.digest != other.digest
