"""Searches in dead letters: pages in the order in which they failed, and one letter with its history."""

from __future__ import annotations

import uuid

from schemas.dead_letters import LetterState
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.letter_filters import FACTS, FROM, stored_letter
from streams.adapters.letter_log import LogEntry, history
from streams.adapters.scans import Scan
from streams.adapters.searches import given, page
from streams.adapters.transactions import Transactions
from streams.core.paging import Page
from streams.core.replay import StoredLetter
from streams.core.searches import LetterSearch

LETTERS = Scan("dead_letters", "first_failed_at", ("id",), before=("00000000-0000-0000-0000-000000000000",))
SHOWN = tuple(one for one in LetterState if one is not LetterState.PURGED)
"""Where no state is asked for: of purged letters only their rows are left."""


class LetterSearches:
    """On transactions bounded in time. Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def page(self, search: LetterSearch) -> Page[StoredLetter]:
        """Letters without key, value and headers."""
        states = (search.state,) if search.state is not None else SHOWN
        branches = [[("state = {}", state.value)] for state in states]
        rest = given(reason=search.reason, stage=search.stage, hostname=search.hostname, topic=search.topic)
        async with self._transactions.reading() as connection:
            found = await page(connection, LETTERS, search.stretch, branches, rest, columns=())
            ids = [row["id"] for row in found.items]
            rows = await connection.fetch(f"SELECT {FACTS} {FROM} WHERE d.id = ANY($1)", ids) if ids else []
        letters = {row["id"]: stored_letter(row) for row in rows}
        return Page(tuple(letters[one] for one in ids), found.next)

    async def get(self, letter: uuid.UUID) -> tuple[StoredLetter, list[LogEntry]] | None:
        """One letter, whole."""
        async with self._transactions.reading() as connection:
            stored = await DeadLetters(connection).get(letter)
            return (stored, await history(connection, letter)) if stored is not None else None
