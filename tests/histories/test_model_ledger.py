"""Ledger and progress against a simple model: readers that overlap, redeliver and fall behind, on a log with holes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.core.batches import PlainRecord, PolledBatch
from streams.core.progress import Behind, Todo, still_to_do
from streams.core.watermark import Watermark

READERS = st.sampled_from(range(3))


@dataclass
class Reader:
    """A worker that believes the partition to be its own."""

    expected: int = 0
    position: int = 0
    mark: Watermark = field(default_factory=lambda: Watermark(0, committed=0))
    hand: list[PolledBatch] = field(default_factory=list)

    def seek(self, offset: int) -> None:
        self.position, self.mark, self.hand = offset, Watermark(offset, committed=offset), []


class LedgerMachine(RuleBasedStateMachine):
    """The table is `next_offset` and the rows written with it; the model is the set of offsets decided over."""

    def __init__(self) -> None:
        super().__init__()
        self.end = 0
        self.gone: set[int] = set()
        self.next_offset = 0
        self.rows: list[tuple[int, int, int]] = []
        self.decided: list[int] = []
        self.readers = [Reader() for _ in range(3)]

    @initialize(records=st.integers(1, 10))
    def first(self, records: int) -> None:
        self.end = records

    @rule(records=st.integers(1, 6))
    def append(self, records: int) -> None:
        self.end += records

    @rule(data=st.data())
    def compact(self, data: Any) -> None:
        if self.end > 1:
            self.gone.add(data.draw(st.integers(0, self.end - 2)))

    @rule(reader=READERS, most=st.integers(1, 5))
    def poll(self, reader: int, most: int) -> None:
        one = self.readers[reader]
        there = [offset for offset in range(one.position, self.end) if offset not in self.gone][:most]
        if there:
            records = [PlainRecord(offset, 0, b"h", b"v") for offset in there]
            after = there[-1] + 1
            one.hand.append(PolledBatch("t", 0, one.position, after, records, False, lambda: None))
            one.position = after

    @rule(reader=READERS, data=st.data())
    def start_again(self, reader: int, data: Any) -> None:
        """A rebalance: reads the place, and begins at what Kafka has, wherever that is."""
        one = self.readers[reader]
        one.expected = self.next_offset
        one.seek(data.draw(st.integers(0, self.end)))

    @rule(reader=READERS, most=st.integers(1, 6))
    def work(self, reader: int, most: int) -> None:
        one = self.readers[reader]
        if not one.hand:
            return
        todo = still_to_do(one.hand, one.expected)
        if isinstance(todo, Behind):
            one.seek(todo.offset)
            return
        assert isinstance(todo, Todo)
        part = todo.up_to(most)
        if part.after > part.first and not self._commit(one, part):
            return
        if part is todo:
            for batch in one.hand:
                if batch.after <= one.expected:
                    one.mark.ack(batch.first, batch.after)
            one.hand = [batch for batch in one.hand if batch.after > one.expected]

    def _commit(self, one: Reader, part: Todo) -> bool:
        """The compare-and-set; who is fenced reads the place again."""
        fenced = part.first != self.next_offset
        if not fenced:
            self.next_offset = part.after
            self.rows.append((part.first, part.after, part.after - part.first - len(part.records)))
            self.decided += [record.offset for record in part.records]
        one.expected = self.next_offset
        return not fenced

    @invariant()
    def every_offset_is_decided_over_once_or_was_missing(self) -> None:
        assert len(self.decided) == len(set(self.decided))
        assert set(range(self.next_offset)) - set(self.decided) <= self.gone

    @invariant()
    def rows_tile_and_add_up(self) -> None:
        edges = [0, *(after for _, after, _ in self.rows)]
        assert [first for first, _, _ in self.rows] == edges[:-1]
        assert edges[-1] == self.next_offset
        assert sum(missing for _, _, missing in self.rows) == self.next_offset - len(self.decided)

    @invariant()
    def nobody_commits_beyond_what_is_decided(self) -> None:
        for one in self.readers:
            assert (one.mark.to_commit() or 0) <= self.next_offset


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
