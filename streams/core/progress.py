"""Where a partition stands: what the database says, and what that means for the next batch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from msgspec import Struct

from streams.core.batches import CorruptBatch, PolledBatch, Record


class LedgerRow(Struct, frozen=True):
    """The ledger row that the next batch may extend in place."""

    first_offset: int
    minute: dt.datetime
    ruleset_version: int


class Progress(Struct, frozen=True, kw_only=True):
    """A row of `partition_progress`, with the fingerprint of the last record done and the last ledger row."""

    next_offset: int
    epoch: int = 0
    halted: str | None = None
    last_sha256: bytes | None = None
    last_row: LedgerRow | None = None

    def extends(self, minute: dt.datetime, ruleset_version: int) -> int | None:
        """First offset of the ledger row that a batch of this minute and rule set extends, or None for a new row."""
        row = self.last_row
        same = row is not None and row.minute == minute and row.ruleset_version == ruleset_version
        return row.first_offset if row is not None and same else None


class Start(Struct, frozen=True):
    """Where to read from on assignment. With `verify` the first record read is the last one done, to be compared."""

    offset: int
    verify: bool


def start_position(progress: Progress, log_begin: int, log_end: int) -> Start | str:
    """Where to begin, or why the partition must halt. `log_end` is the offset after the last record of the log."""
    after = progress.next_offset
    if log_end < after:
        return (
            f"the log ends at {log_end}, below {after} where this partition stands: "
            "the topic was recreated or truncated"
        )
    if progress.last_sha256 is not None and log_begin < after:
        return Start(after - 1, verify=True)
    return Start(after, verify=False)


class Todo(Struct, frozen=True, kw_only=True):
    """What of some polled batches is still to do: records of `[first, after)`."""

    first: int
    after: int
    records: Sequence[Record]
    previous: Record | None = None
    """The record just before `first`, where it was read too."""
    halt: str | None = None
    """Why the partition must halt after these records: a batch that cannot be read follows."""

    def up_to(self, records: int) -> Todo:
        """The first part of it, of so many records; itself where it has no more. What follows is to do after it."""
        if len(self.records) <= records:
            return self
        part = self.records[:records]
        return Todo(first=self.first, after=part[-1].offset + 1, records=part, previous=self.previous)


class Behind(Struct, frozen=True):
    """The records were read from a position above the expected one: the consumer must seek to `offset`."""

    offset: int


def still_to_do(batches: Sequence[PolledBatch], expected: int, *, verify: bool = False) -> Todo | Behind | str:
    """The part of consecutive batches at or above `expected`; a string says why the partition must halt.

    Offsets below `expected` are redeliveries and have no effect (I2). A batch that was read from above `expected`
    is no gap: those records were never read, so they are not missing. With `verify` the record before `expected` must
    have been read too, for it is to be compared: a consumer reads on from what is committed until it seeks.
    """
    if verify and batches[0].first >= expected:
        return Behind(expected - 1)
    records: list[Record] = []
    position, previous, halt = expected, None, None
    for batch in batches:
        if batch.rewound:
            return f"the log went back: offset {batch.records[0].offset} came after {position - 1} was read"
        if batch.first > position:
            if position == expected and not records:
                return Behind(expected)
            break
        for record in batch.records:
            if type(record) is CorruptBatch:
                halt = record.problem
                break
            if record.offset >= position:
                records.append(record)
            elif record.offset == expected - 1:
                previous = record
        if halt is not None:
            position = max(position, records[-1].offset + 1 if records else expected)
            break
        position = max(position, batch.after)
    return Todo(first=expected, after=position, records=records, previous=previous, halt=halt)
