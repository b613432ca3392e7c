"""PostgreSQL in memory: what streams/adapters writes in one transaction happens here in one step. Nothing is unique
but progress: what the real tables refuse as a second row is kept here, for the checks to find."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from schemas.alerts import AlertState
from schemas.dead_letters import DeadLetter, LetterState
from schemas.errors import Fenced, RowRefused
from schemas.events import Disposition
from schemas.rows import ALERTS, AUDIT, Row
from streams.core.delivery import Settlement, Standing
from streams.core.letters import named_letter
from streams.core.progress import LedgerRow, Progress
from streams.core.signatures import Seen
from streams.core.work import Decided
from tests.fakes_forward import settles
from tests.histories.broker import Place

RAW, ALERT_PAYLOAD = AUDIT.index("raw"), ALERTS.index("payload")
POISON = b"poison"
"""A row with this in its raw bytes is refused."""


@dataclass
class Line:
    """A row of the ledger."""

    place: Place
    epoch: int
    first: int
    after: int
    minute: dt.datetime
    version: int
    counts: Counter[str]
    missing: int
    audited: int
    alerts: int
    sha256: bytes | None


@dataclass
class Stand:
    """A row of partition_progress."""

    next_offset: int
    epoch: int = 0
    halted: str | None = None


@dataclass
class AlertLine:
    """A row of alerts. `number` orders everything that a history does."""

    row: Row
    number: int
    record_time: dt.datetime
    state: AlertState = AlertState.PENDING
    attempts: int = 0
    published: bool = False


@dataclass
class LetterLine:
    """A row of dead_letters."""

    letter: DeadLetter
    state: LetterState = LetterState.OPEN
    published: bool = False
    replays: int = 0
    replay_of: uuid.UUID | None = None
    replay_id: uuid.UUID | None = None


@dataclass
class Commit:
    """What one transaction of a lane wrote, by whom."""

    number: int
    writer: object
    place: Place
    epoch: int
    first: int
    after: int
    decided: Decided


@dataclass
class Tables:
    """`number` counts everything that happens, here and at the receiver, in its order."""

    numbers: Iterable[int] = field(default_factory=itertools.count)
    stands: dict[Place, Stand] = field(default_factory=dict)
    ledger: defaultdict[tuple[Place, int], list[Line]] = field(default_factory=lambda: defaultdict(list))
    commits: list[Commit] = field(default_factory=list)
    fenced: list[tuple[int, object, Place]] = field(default_factory=list)
    alerts: dict[uuid.UUID, AlertLine] = field(default_factory=dict)
    letters: dict[uuid.UUID, LetterLine] = field(default_factory=dict)
    inserted: list[tuple[str, uuid.UUID]] = field(default_factory=list)
    """Alerts and letters as they were inserted: an id may be there twice."""
    sli: defaultdict[tuple[str, Place], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    signatures: defaultdict[Place, dict[int, Seen]] = field(default_factory=lambda: defaultdict(dict))

    def number(self) -> int:
        return next(self.numbers)  # type: ignore[call-overload,no-any-return]

    # -- partitions -----------------------------------------------------------------------------------------------

    def progress(self, place: Place) -> Progress | None:
        stand = self.stands.get(place)
        if stand is None:
            return None
        lines = self.ledger[place, stand.epoch]
        last = lines[-1] if lines else None
        return Progress(
            next_offset=stand.next_offset,
            epoch=stand.epoch,
            halted=stand.halted,
            last_sha256=last.sha256 if last else None,
            last_row=LedgerRow(last.first, last.minute, last.version) if last else None,
        )

    def begin(self, place: Place, offset: int) -> None:
        self.stands.setdefault(place, Stand(offset))

    def halt(self, place: Place, reason: str) -> None:
        self.stands[place].halted = reason

    def reset(self, place: Place, next_offset: int) -> None:
        """`mutt ledger reset`."""
        self.stands[place] = Stand(next_offset, self.stands[place].epoch + 1)

    def stands_at(self, place: Place, offset: int, epoch: int) -> bool:
        """The compare of the compare-and-set."""
        stand = self.stands.get(place)
        return stand is not None and (stand.next_offset, stand.epoch, stand.halted) == (offset, epoch, None)

    # -- one batch --------------------------------------------------------------------------------------------------

    def commit(self, decided: Decided, progress: Progress, writer: object) -> Progress:
        """Raises Fenced and RowRefused; then nothing is written."""
        work = decided.work
        place = (work.topic.name, work.partition)
        if not self.stands_at(place, work.first, progress.epoch):
            self.fenced.append((self.number(), writer, place))
            raise Fenced(f"{place} does not stand at {work.first} any more")
        for line, row in enumerate(decided.audit, start=1):
            if row[RAW] is not None and POISON in row[RAW]:
                raise RowRefused("audit", line, "poison")
        number = self.number()
        self.commits.append(Commit(number, writer, place, progress.epoch, work.first, work.after, decided))
        self.stands[place].next_offset = work.after
        line_ = self._keep_books(place, decided, progress)
        self._insert_alerts(decided, number)
        self.insert_letters(decided.letters)
        self._keep_signatures(place, decided)
        self._end_replays(decided)
        return Progress(
            next_offset=work.after,
            epoch=progress.epoch,
            last_sha256=decided.last_sha256,
            last_row=LedgerRow(line_.first, line_.minute, line_.version),
        )

    def _keep_books(self, place: Place, decided: Decided, progress: Progress) -> Line:
        work = decided.work
        minute, version = work.now.replace(second=0, microsecond=0), work.knowledge.rule_set.version
        line = self._line(place, progress, minute, version, work.first)
        line.after, line.sha256 = work.after, decided.last_sha256
        line.counts.update({name.value: count for name, count in decided.counts.items()})
        line.missing += decided.missing
        line.audited += len(decided.audit)
        line.alerts += len(decided.alerts)
        good = sum(decided.counts[name] for name in _GOOD)
        for component, ours, total in (
            ("ingestor", good, good + decided.our_failures),
            ("audit", work.after - work.first - decided.missing, work.after - work.first),
        ):
            counts = self.sli[component, place]
            counts[0] += ours
            counts[1] += total
        return line

    def _line(self, place: Place, progress: Progress, minute: dt.datetime, version: int, first: int) -> Line:
        """The row that the batch extends, or a new one."""
        lines = self.ledger[place, progress.epoch]
        wanted = progress.extends(minute, version)
        for line in lines:
            if line.first == wanted and line.after == first:
                return line
        lines.append(Line(place, progress.epoch, first, first, minute, version, Counter(), 0, 0, 0, None))
        lines.sort(key=lambda line: line.first)
        return next(line for line in lines if line.first == first and line.after == first)

    def _insert_alerts(self, decided: Decided, number: int) -> None:
        for row in decided.alert_rows:
            self.inserted.append(("alert", row[0]))
            self.alerts.setdefault(row[0], AlertLine(row, number, row[ALERTS.index("broker_time")]))

    def insert_letters(self, letters: Iterable[DeadLetter], *, published: bool = False) -> int:
        """Returns how many were not there."""
        before = len(self.letters)
        for letter in letters:
            if not published:
                self.inserted.append(("letter", letter.id))
            self.letters.setdefault(letter.id, LetterLine(letter, published=published))
        return len(self.letters) - before

    def _keep_signatures(self, place: Place, decided: Decided) -> None:
        stored = self.signatures[place]
        for key in decided.signatures.deletions():
            stored.pop(key, None)
        stored.update(decided.signatures.rows())

    def _end_replays(self, decided: Decided) -> None:
        for judged in decided.replayed:
            if self.letters[judged].state is LetterState.REPLAYING:
                self.letters[judged].state = LetterState.REPLAYED
        for letter in decided.letters:
            named = named_letter(letter.headers)
            if named in decided.replayed:
                self.come_back(letter.id, named)

    def come_back(self, new: uuid.UUID, old: uuid.UUID | None) -> None:
        """A letter that came back after a replay keeps the count of its replays."""
        if old in self.letters and new in self.letters and new != old:
            again, before = self.letters[new], self.letters[old]
            if again.letter.alert_id == before.letter.alert_id:
                again.replays, again.replay_of = before.replays, old

    # -- deliveries ---------------------------------------------------------------------------------------------------

    def load(self, alerts: Sequence[uuid.UUID]) -> dict[uuid.UUID, Standing]:
        return {name: _standing(self.alerts[name]) for name in alerts if name in self.alerts}

    def settle(self, settlements: Sequence[Settlement], foreign: Sequence[DeadLetter]) -> None:
        for each in settlements:
            line = self.alerts.get(each.alert_id)
            if line is None or not settles(each, line.state, line.attempts, self.letters):
                continue
            line.state, line.attempts = each.state, each.attempts
            counts = self.sli["forwarder", ("mutt.alerts", each.partition)]
            counts[0] += each.good
            counts[1] += each.posts
            if each.state is not AlertState.PENDING:
                ends = self.sli["alert_latency", ("mutt.alerts", each.partition)]
                ends[0] += each.on_time
                ends[1] += 1
            if each.letter is not None:
                self.insert_letters([each.letter])
                self.come_back(each.letter.id, each.replay_of)
        for letter in foreign:
            if letter.id not in self.letters:
                self.insert_letters([letter])

    def pending(self) -> int:
        return sum(line.state is AlertState.PENDING for line in self.alerts.values())


_GOOD = (Disposition.ALERTED, Disposition.LOGGED, Disposition.IGNORED, Disposition.UNHANDLED)


def _standing(line: AlertLine) -> Standing:
    digest = hashlib.sha256(line.row[ALERT_PAYLOAD].encode()).digest()
    return Standing(line.state, line.attempts, digest, line.record_time)
