"""Dry runs of replays for the API: bounded in letters and in time."""

from __future__ import annotations

import asyncio

from streams.adapters.dead_letters import every_letter
from streams.adapters.replay_claims import Replays
from streams.adapters.rules import load_rule_set
from streams.adapters.transactions import Transactions
from streams.core.matching import Knowledge
from streams.core.rehearsal import Rehearsal
from streams.core.replay import LetterFilter

LOOKED_AT = 2_000
"""Letters of one dry run."""


class Rehearsals:
    """Raises StoreUnavailable; RuleRefused where a stored rule is none."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def of(self, chosen: LetterFilter, limit: int | None) -> tuple[Rehearsal, bool]:
        """What a replay of the first letters of the filter would do, and whether those are all. Touches nothing."""
        async with self._transactions.reading() as connection:
            rule_set, _ = await load_rule_set(connection)
        knowledge = await asyncio.to_thread(Knowledge.of, rule_set)
        looked_at = 0
        async with self._transactions.reading() as connection:
            found = Rehearsal(knowledge, await Replays(connection).policy(), limit)
            async for stored in every_letter(connection, chosen):
                if looked_at == LOOKED_AT:
                    return found, False
                looked_at += 1
                found.add(stored, chosen)
        return found, True
