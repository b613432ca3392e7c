"""What a replay would do, counted, with examples: its dry run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from streams.core.letter_documents import letter_json, verdict_json
from streams.core.letter_verdict import verdict
from streams.core.matching import Knowledge
from streams.core.replay import LetterFilter, Refusal, ReplayPolicy, StoredLetter, refusal

LISTED = 50
"""Letters a dry run lists of those it would send, and of those it refuses; it counts them all."""


class Rehearsal:
    """What a replay would do, counted; examples of each."""

    def __init__(self, knowledge: Knowledge, policy: ReplayPolicy, limit: int | None) -> None:
        self._knowledge = knowledge
        self._policy = policy
        self._limit = limit
        self.would: Counter[str] = Counter()
        self.refused: Counter[Refusal] = Counter()
        self.letters: list[dict[str, Any]] = []
        self.refused_letters: list[dict[str, Any]] = []

    @property
    def would_send(self) -> int:
        return self.would.total()

    def add(self, stored: StoredLetter, chosen: LetterFilter | None) -> None:
        """`chosen` named the letter; None for one that a resumed replay holds already."""
        why = refusal(stored, chosen, self._policy) if chosen is not None else None
        if why is not None:
            self.refuse(letter_json(stored), why)
        elif self._limit is None or self.would_send < self._limit:
            found = verdict(stored, self._knowledge)
            self.would[found.summary if found else "unknown"] += 1
            if len(self.letters) < LISTED:
                self.letters.append(letter_json(stored) | {"verdict": verdict_json(found)})

    def refuse(self, letter: dict[str, Any], why: Refusal) -> None:
        """`letter` as JSON shows it; of one that cannot be read only the id is known."""
        self.refused[why] += 1
        if len(self.refused_letters) < LISTED:
            self.refused_letters.append(letter | {"refused": why.value, "why": why.means})

    def to_json(self) -> dict[str, Any]:
        return {
            "dry_run": True,
            "would_send": self.would_send,
            "would_become": dict(self.would),
            "refused": {why.value: count for why, count in self.refused.items()},
            "letters": self.letters,
            "refused_letters": self.refused_letters,
        }
