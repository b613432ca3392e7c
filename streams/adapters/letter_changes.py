"""What the API changes of dead letters: edits, and letters set aside and taken back, signed by their author."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from msgspec.structs import replace

from schemas.dead_letters import LetterState
from schemas.errors import NotFound, Outdated, Refused
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.letter_desk import count_letters, edit_letter, park_letters
from streams.adapters.rules import load_rule_set
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.letter_edit import VALUE_LIMIT, difference, refuse_edit
from streams.core.letter_verdict import Verdict, verdict
from streams.core.matching import Knowledge
from streams.core.replay import LetterFilter, StoredLetter, current_value, with_value

BULK_S = 60.0
"""Bound on a change of all letters of a filter."""
NO_LETTER = "there is no such dead letter"


class LetterChanges:
    """Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def rehearse(self, letter: uuid.UUID, value: bytes) -> tuple[str, Verdict | None]:
        """What an edit would change, and what a replay would become then. Raises NotFound, Refused."""
        async with self._transactions.reading() as connection:
            stored = await _found(connection, letter, value)
            rule_set, _ = await load_rule_set(connection)
        if why := refuse_edit(stored):
            raise Refused(f"letter {letter} cannot be edited: {why}")
        knowledge = await asyncio.to_thread(Knowledge.of, rule_set)
        return difference(current_value(stored), value), verdict(with_value(stored, value), knowledge)

    async def edit(self, letter: uuid.UUID, value: bytes, author: Author, *, edits: int) -> str:
        """Replaces what a replay sends; the original stays. `edits` is how many the author has seen.

        Returns the difference. Raises NotFound, Refused, or Outdated when another hand was faster.
        """
        async with self._transactions.writing(author) as connection:
            seen = replace(await _found(connection, letter, value), edits=edits)
            return await edit_letter(connection, seen, value, actor=author.actor, note=author.reason)

    async def count(self, chosen: LetterFilter, *, back: bool) -> int:
        """How many letters `park` would change."""
        async with self._transactions.reading() as connection:
            return await count_letters(connection, chosen, _from(back=back))

    async def park(self, chosen: LetterFilter, author: Author, *, back: bool, expected: int) -> int:
        """Parks open letters, or opens parked ones. Raises Outdated where it is not as many as expected."""
        async with self._transactions.writing(author, answer_s=BULK_S) as connection:
            done = await park_letters(connection, chosen, back=back, actor=author.actor, note=author.reason)
            if done != expected:
                raise Outdated(f"there are {done} such letters by now, not {expected}; nothing was changed")
            return done


def _from(*, back: bool) -> LetterState:
    return LetterState.PARKED if back else LetterState.OPEN


async def _found(connection: Any, letter: uuid.UUID, value: bytes) -> StoredLetter:
    if len(value) > VALUE_LIMIT:
        raise Refused(f"the new value has {len(value)} bytes; at most {VALUE_LIMIT}")
    stored = await DeadLetters(connection).get(letter)
    if stored is None:
        raise NotFound(NO_LETTER)
    return stored
