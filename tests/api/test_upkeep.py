"""What the API writes by itself waits for a store that is away, and what it deletes goes in bounded steps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import pytest

from api.beside import beside
from api.upkeep import AT_ONCE, Upkeep
from schemas.errors import StoreUnavailable
from streams.core.api_keys import Failure, Rehash
from streams.core.auth_failures import FailureBook, FailureRow
from streams.core.key_uses import EVERY, KeyUses
from tests.fakes_keys import NOON


class Notes:
    """Implements KeyNotes from memory, and rows that are past their time."""

    def __init__(self, past: int = 0) -> None:
        self.uses: list[Mapping[str, dt.datetime]] = []
        self.hashes: list[Mapping[str, Rehash]] = []
        self.failures: list[FailureRow] = []
        self.steps: list[int] = []
        self.past = past
        self.away = False

    async def note_uses(self, uses: Mapping[str, dt.datetime]) -> None:
        self._check()
        self.uses.append(uses)

    async def note_hashes(self, hashes: Mapping[str, Rehash]) -> None:
        self._check()
        self.hashes.append(hashes)

    async def note_failures(self, rows: Sequence[FailureRow]) -> None:
        self._check()
        self.failures += rows

    async def forget(self, limit: int) -> int:
        self._check()
        step = min(limit, self.past)
        self.past -= step
        self.steps.append(step)
        return step

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("away")


async def test_uses_and_failures_wait_for_a_store_that_is_away() -> None:
    notes, book, uses, hashes = Notes(), FailureBook(), KeyUses(), {"key": Rehash(b"old", b"new")}
    upkeep = Upkeep(notes, book, uses, (), hashes=hashes)
    notes.away = True
    uses.note("key", NOON)
    book.add("192.0.2.7", None, Failure.UNKNOWN, NOON)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await upkeep.write()
    notes.away = False
    await upkeep.write()
    await upkeep.write()
    assert notes.uses == [{"key": NOON}]
    assert notes.hashes == [{"key": (b"old", b"new")}]
    assert hashes == {}
    assert [(row.address, row.failures) for row in notes.failures] == [("192.0.2.7", 1)]


async def test_a_use_is_written_once_a_minute() -> None:
    notes, uses = Notes(), KeyUses()
    upkeep = Upkeep(notes, FailureBook(), uses, (), hashes={})
    for later in (dt.timedelta(0), EVERY / 2, EVERY):
        uses.note("key", NOON + later)
        await upkeep.write()
    assert notes.uses == [{"key": NOON}, {"key": NOON + EVERY}]


async def test_what_is_past_its_time_goes_in_steps() -> None:
    notes = Notes(past=AT_ONCE * 2 + 1)
    await Upkeep(notes, FailureBook(), KeyUses(), (notes.forget,), hashes={}).forget()
    assert notes.steps == [AT_ONCE, AT_ONCE, 1]


async def test_a_process_that_ends_writes_a_last_time() -> None:
    notes, book = Notes(), FailureBook()
    upkeep = Upkeep(notes, book, KeyUses(), (notes.forget,), hashes={})
    async with beside("upkeep", upkeep.run, last=upkeep.write):
        book.add("192.0.2.7", None, Failure.WRONG, NOON)
    assert [row.reason for row in notes.failures] == [Failure.WRONG]
