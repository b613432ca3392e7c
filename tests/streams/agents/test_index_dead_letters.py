"""The index agent: every record of mutt.dlq ends in the table once, whatever the database does meanwhile."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import StoreUnavailable
from streams.agents.index_dead_letters import LetterIndex, index_dead_letters
from streams.clock import SystemClock
from streams.core.letters import to_record
from streams.metrics import REGISTRY
from tests.builders import dead_letter


@dataclass
class MemoryLetters:
    """A LetterStore in memory that is away for the first `away` calls."""

    away: int = 0
    rows: dict[uuid.UUID, DeadLetter] = field(default_factory=dict)

    async def insert_absent(self, letters: Sequence[DeadLetter], published_at: dt.datetime) -> int:
        assert published_at.tzinfo is not None
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        new = {letter.id: letter for letter in letters if letter.id not in self.rows}
        self.rows |= new
        return len(new)


async def at_once(action: Callable[[], Awaitable[Any]]) -> Any:
    while True:
        try:
            return await action()
        except StoreUnavailable:
            continue


def record(offset: int, letter: DeadLetter | None = None, **overrides: Any) -> SimpleNamespace:
    key, value, headers = to_record(letter) if letter else (b"k", b"v", ())
    text = [(name.decode("utf-8", "surrogateescape"), data) for name, data in headers]
    return SimpleNamespace(
        **{"offset": offset, "timestamp": 5, "key": key, "value": value, "headers": text} | overrides
    )


class OneBatch:
    """A stream of one polled batch, that says what was acknowledged."""

    def __init__(self, *records: SimpleNamespace) -> None:
        self.acked = 0
        self.message = SimpleNamespace(topic="mutt.dlq", partition=1, records=records)

    def noack(self) -> OneBatch:
        return self

    async def events(self) -> Any:
        yield self

    def ack(self) -> None:
        self.acked += 1


async def test_ours_and_foreign_letters_are_indexed_once() -> None:
    store = MemoryLetters()
    index = LetterIndex(store, SystemClock(), at_once)
    ours = dead_letter(headers=((b"caf\xe9", None),))
    records = [record(4, ours), record(5), record(6, ours)]
    assert await index.index(1, records) == 2
    assert await index.index(1, records) == 0
    assert store.rows[ours.id] == ours
    foreign = next(letter for letter in store.rows.values() if letter.reason is Reason.FOREIGN)
    assert (foreign.topic, foreign.partition, foreign.offset) == ("mutt.dlq", 1, 5)


async def test_a_batch_is_acknowledged_only_when_it_is_in_the_table() -> None:
    store = MemoryLetters(away=3)
    batch = OneBatch(record(1, dead_letter()))
    await index_dead_letters(batch, LetterIndex(store, SystemClock(), at_once))
    assert (len(store.rows), batch.acked) == (1, 1)


async def test_letters_that_are_new_are_counted() -> None:
    index, ours = LetterIndex(MemoryLetters(), SystemClock(), at_once), dead_letter()
    before = counted()
    for _ in range(2):
        await index_dead_letters(OneBatch(record(1, ours), record(2)), index)
    assert counted() - before == 2


def counted() -> float:
    return REGISTRY.get_sample_value("mutt_dead_letters_indexed_total") or 0.0


async def test_large_letters_are_written_in_several_goes() -> None:
    store = MemoryLetters()
    big = [record(n, dead_letter(value=bytes(1_900_000))) for n in range(6)]
    assert await LetterIndex(store, SystemClock(), at_once).index(0, big) == 6
