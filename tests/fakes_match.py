"""Fakes of the match worker's ports, for tests of a lane: the store runs the same contract suite as PostgreSQL's."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence

from schemas.dead_letters import LetterState
from schemas.errors import Fenced, MuttError, RowRefused
from schemas.rows import AUDIT, Row
from streams.core.progress import LedgerRow, Progress
from streams.core.signatures import Seen
from streams.core.work import Decided

_OFFSET = AUDIT.index("offset")


class FakeBatchStore:
    """The BatchStore port in memory. `refuse` names offsets whose audit row is refused; `faults` are raised in turn."""

    def __init__(self) -> None:
        self.stands: dict[tuple[str, int], Progress] = {}
        self.audit: list[Row] = []
        self.alerts: list[Row] = []
        self.committed: list[Decided] = []
        self.letters: dict[uuid.UUID, LetterState] = {}
        self.kept: dict[tuple[str, int], dict[int, Seen]] = {}
        """Signatures."""
        self.refuse: set[int] = set()
        self.faults: list[MuttError] = []
        self.lost_answers: list[MuttError] = []
        """Raised after the commit took place: the outcome is unknown to the caller."""
        self.answers = asyncio.Event()
        """While it is not set commits wait."""
        self.answers.set()

    async def progress(self, topic: str, partition: int) -> Progress | None:
        return self.stands.get((topic, partition))

    async def begin(self, topic: str, partition: int, offset: int) -> None:
        self.stands.setdefault((topic, partition), Progress(next_offset=offset))

    async def halt(self, topic: str, partition: int, reason: str) -> None:
        at = self.stands[topic, partition]
        self.stands[topic, partition] = Progress(next_offset=at.next_offset, epoch=at.epoch, halted=reason)

    async def signatures(self, topic: str, partition: int, limit: int) -> Mapping[int, Seen]:
        return dict(self.kept.get((topic, partition), {}))

    async def replay_states(self, letters: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, LetterState]:
        return {letter: self.letters[letter] for letter in letters if letter in self.letters}

    async def commit(self, decided: Decided, progress: Progress) -> Progress:
        await self.answers.wait()
        if self.faults:
            raise self.faults.pop(0)
        work = decided.work
        place = (work.topic.name, work.partition)
        stands = self.stands[place]
        if (stands.next_offset, stands.epoch, stands.halted) != (work.first, progress.epoch, None):
            raise Fenced("moved")
        for line, row in enumerate(decided.audit, start=1):
            if row[_OFFSET] in self.refuse:
                raise RowRefused("audit", line, "refused by the test")
        self.audit += decided.audit
        self.alerts += decided.alert_rows
        self.committed.append(decided)
        for letter in decided.replayed:
            self.letters[letter] = LetterState.REPLAYED
        for written in decided.letters:
            self.letters.setdefault(written.id, LetterState.OPEN)
        kept = self.kept.setdefault(place, {})
        for key in decided.signatures.deletions():
            kept.pop(key, None)
        kept.update(decided.signatures.rows())
        minute, version = work.now.replace(second=0, microsecond=0), work.knowledge.rule_set.version
        extended = progress.extends(minute, version)
        row = LedgerRow(work.first if extended is None else extended, minute, version)
        self.stands[place] = Progress(
            next_offset=work.after, epoch=progress.epoch, last_sha256=decided.last_sha256, last_row=row
        )
        if self.lost_answers:
            raise self.lost_answers.pop(0)
        return self.stands[place]


class FakeOutbox:
    """The OutboxPublisher port in memory: remembers what was put on the topics."""

    def __init__(self) -> None:
        self.published: list[uuid.UUID] = []
        self.pending: list[uuid.UUID] = []
        self.faults: list[MuttError] = []

    async def publish(self, decided: Decided) -> None:
        ids = [alert.id for alert in decided.alerts] + [letter.id for letter in decided.letters]
        if self.faults:
            self.pending += ids
            raise self.faults.pop(0)
        self.published += ids

    async def publish_pending(self, topic: str, partition: int) -> int:
        if self.faults:
            raise self.faults.pop(0)
        count = len(self.pending)
        self.published += self.pending
        self.pending = []
        return count

    async def flush(self) -> None:
        """Everything is marked at once here."""


class FakeLog:
    """The PartitionLog port: bounds as set, seeks remembered."""

    def __init__(self, begin: int = 0, end: int = 1000) -> None:
        self.begin, self.end = begin, end
        self.seeks: list[int] = []
        self.on_seek: Callable[[], None] = lambda: None

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        return self.begin, self.end

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self.seeks.append(offset)
        self.on_seek()


class FixedClock:
    """The Clock port at one moment that tests move."""

    def __init__(self, now: dt.datetime | None = None) -> None:
        self.at = now or dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds


class FakeBacklog:
    """The BacklogReader port in memory. `faults` are raised in turn."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting
        self.faults: list[MuttError] = []
        self.counts = 0

    async def pending(self, at_most: int) -> int:
        self.counts += 1
        if self.faults:
            raise self.faults.pop(0)
        return min(self.waiting, at_most)
