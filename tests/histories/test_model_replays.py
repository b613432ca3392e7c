"""Replay and park against a simple model: letters sent again, judged, come back, resumed, forged and parked."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from schemas.config import DynamicConfig
from schemas.dead_letters import REPLAY_HEADER, LetterState, Reason
from schemas.rows import AUDIT
from schemas.topics import SYSLOG
from streams.core.batches import PlainRecord
from streams.core.disposition import decide
from streams.core.replay import LetterFilter, Refusal, ReplayPolicy, StoredLetter, refusal, replay_record
from streams.core.signatures import SignatureBook
from streams.core.work import Work
from tests.histories.broker import START, START_MS
from tests.histories.records import Sort, knowledge, value_of
from tests.histories.tables import Tables

PLACE = (SYSLOG.name, 0)
MOST = 2
CHOSEN = LetterFilter(reasons=(Reason.SHED,))
KNOWN = knowledge(
    1,
    0,
    DynamicConfig(alerter_queue_warn_threshold=1, alerter_queue_shed_threshold=500, alerter_queue_hard_limit=5000),
)
CALM, PRESSED = 0, 1000


class ReplaysMachine(RuleBasedStateMachine):
    """The model: of each event how often it was sent again, and where it stands, by its value."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = Tables()
        self.tables.begin(PLACE, 0)
        self.log: list[PlainRecord] = []
        self.states: dict[bytes, str] = {}
        self.sent: Counter[bytes] = Counter()

    # -- what happens -------------------------------------------------------------------------------------------

    @rule()
    def produce(self) -> None:
        value = value_of(Sort.MATCHED, "h1", 7, len(self.states))
        assert value is not None
        self.states[value] = "new"
        self._append(value)

    @precondition(lambda self: self.tables.letters)
    @rule(data=st.data())
    def forge(self, data: Any) -> None:
        """A producer names a letter that nobody replays just now, or none there is: it changes nothing."""
        idle = [name for name, line in self.tables.letters.items() if line.state is not LetterState.REPLAYING]
        judged = [name for name in idle if self.tables.letters[name].state is LetterState.REPLAYED]
        named = data.draw(st.sampled_from([name for name in idle if name not in judged] or [uuid.UUID(int=7)]))
        value = value_of(Sort.MATCHED, "h1", 7, len(self.states))
        assert value is not None
        self.states[value] = "new"
        self._append(value, ((REPLAY_HEADER, str(named).encode()),))

    @rule(limit=st.integers(1, 3), copies=st.integers(1, 2))
    def replay(self, limit: int, copies: int) -> None:
        taken = 0
        for line in list(self.tables.letters.values()):
            stored = StoredLetter(letter=replace(line.letter, replays=line.replays), state=line.state)
            why = refusal(stored, CHOSEN, ReplayPolicy(MOST))
            value = stored.letter.value
            assert value is not None
            if why is Refusal.TOO_OFTEN:
                assert self.states[value] == "open"
                line.state, self.states[value] = LetterState.PARKED, "parked"
            elif why is None and taken < limit:
                assert self.states[value] == "open"
                taken += 1
                line.state, self.states[value] = LetterState.REPLAYING, "out"
                line.replays += 1
                self.sent[value] += 1
                self._send(stored, copies)

    @rule()
    def resume(self) -> None:
        """What was taken and not judged is sent once more."""
        for line in self.tables.letters.values():
            if line.state is LetterState.REPLAYING:
                self._send(StoredLetter(letter=line.letter, state=line.state), 1)

    @rule(depth=st.sampled_from([CALM, PRESSED]), most=st.integers(1, 6))
    def judge(self, depth: int, most: int) -> None:
        progress = self.tables.progress(PLACE)
        assert progress is not None
        first = progress.next_offset
        records = self.log[first : first + most]
        if not records:
            return
        after = records[-1].offset + 1
        replays = {name: line.state for name, line in self.tables.letters.items()}
        decided = decide(
            Work(
                topic=SYSLOG, partition=0, first=first, after=after, records=records, knowledge=KNOWN,
                book=SignatureBook(), now=START, replays=replays, depth=depth,
            )
        )  # fmt: skip
        for record in records:
            if self.states[record.value or b""] in ("new", "out"):
                self.states[record.value or b""] = "open" if depth == PRESSED else "alerted"
        self.tables.commit(decided, progress, "worker")

    def _send(self, stored: StoredLetter, copies: int) -> None:
        _, value, headers = replay_record(stored)
        for _ in range(copies):
            self._append(value or b"", tuple((name.decode(), data) for name, data in headers))

    def _append(self, value: bytes, headers: tuple[tuple[str, bytes | None], ...] = ()) -> None:
        offset = len(self.log)
        self.log.append(PlainRecord(offset, START_MS + offset, b"h1", value, headers))

    # -- what holds ---------------------------------------------------------------------------------------------

    @invariant()
    def letters_stand_where_their_events_do(self) -> None:
        last = {line.letter.value: line.state for line in self.tables.letters.values()}
        names = {"open": LetterState.OPEN, "out": LetterState.REPLAYING, "parked": LetterState.PARKED}
        for value, state in self.states.items():
            if state in names:
                assert last[value] is names[state]
            else:
                assert last.get(value) in (None, LetterState.REPLAYED)

    @invariant()
    def nothing_is_sent_again_too_often(self) -> None:
        assert all(count <= MOST for count in self.sent.values())
        for line in self.tables.letters.values():
            if line.state is not LetterState.REPLAYED:
                assert line.replays == self.sent[line.letter.value or b""]

    @invariant()
    def one_judgement_a_replay_and_one_alert_an_event(self) -> None:
        rows = [row for commit in self.tables.commits for row in commit.decided.audit]
        judged = Counter(row[AUDIT.index("raw")] for row in rows)
        alerted = Counter(row[AUDIT.index("raw")] for row in rows if row[AUDIT.index("alert_id")] is not None)
        for value, state in self.states.items():
            assert judged[value] == (state != "new") + self.sent[value] - (state == "out")
            assert alerted[value] == (state == "alerted")


TestReplays = ReplaysMachine.TestCase
TestReplays.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
