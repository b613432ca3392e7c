"""Whether the ledger's books add up: ranges tile, counts agree with the tables and with the brokers (I1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from schemas.events import Disposition


@dataclass(frozen=True, slots=True)
class LedgerRange:
    """One ledger row, with what the tables hold of its range."""

    topic: str
    partition: int
    epoch: int
    first_offset: int
    next_offset: int
    minute: dt.datetime
    counts: Mapping[Disposition, int]
    missing: int
    audited: int
    alerts: int
    audit_rows: int
    alert_rows: int
    letter_offsets: int
    """Offsets that dead letters of this range account for: one each, or a whole batch."""
    archived_audit: int = 0
    """Audit rows of this range that are in an archive and no table; so with the next two."""
    archived_alerts: int = 0
    archived_letters: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a partition stands, and what the brokers say: None where they know nothing of it."""

    topic: str
    partition: int
    epoch: int
    next_offset: int
    halted: str | None = None
    log_end: int | None = None
    committed: int | None = None

    @property
    def lag(self) -> int | None:
        return None if self.log_end is None else self.log_end - self.next_offset


@dataclass(frozen=True, slots=True)
class Fault:
    """A range of offsets that does not add up, and why."""

    topic: str
    partition: int
    epoch: int
    first_offset: int
    next_offset: int
    problem: str

    def __str__(self) -> str:
        offsets = f"[{self.first_offset}, {self.next_offset})"
        return f"{self.topic}:{self.partition} epoch {self.epoch} {offsets}: {self.problem}"


def faults(ranges: Sequence[LedgerRange], standings: Sequence[Standing]) -> list[Fault]:
    """Everything that does not add up; none means that every offset below next_offset has exactly one disposition."""
    found = [fault for row in ranges for fault in _row_faults(row)]
    ordered = sorted(ranges, key=_place)
    last: dict[tuple[str, int, int], LedgerRange] = {}
    for place, group in groupby(ordered, key=lambda row: _place(row)[:3]):
        rows = list(group)
        found += _tiling_faults(rows)
        last[place] = rows[-1]
    for standing in standings:
        row = last.get((standing.topic, standing.partition, standing.epoch))
        found += _standing_faults(standing, row)
    known = {(standing.topic, standing.partition) for standing in standings}
    found += [
        _fault(row, "the partition has ledger rows but no progress")
        for row in last.values()
        if (row.topic, row.partition) not in known
    ]
    return found


def _row_faults(row: LedgerRange) -> Iterable[Fault]:
    counted = sum(row.counts.values()) + row.missing
    failed = row.counts[Disposition.REJECTED] + row.counts[Disposition.SHED]
    checks = (
        (counted, row.next_offset - row.first_offset, "dispositions counted", "offsets", 0),
        (row.audited, row.audit_rows, "audit rows by the ledger", "audit rows", row.archived_audit),
        (row.alerts, row.alert_rows, "alerts by the ledger", "alerts", row.archived_alerts),
        (failed, row.letter_offsets, "rejected or shed", "in dead letters", row.archived_letters),
    )
    for ledger, actual, what, where, archived in checks:
        if ledger != actual + archived:
            more = f" and {archived} archived" if archived else ""
            yield _fault(row, f"{ledger} {what}, {actual} {where}{more}")


def _tiling_faults(rows: Sequence[LedgerRange]) -> Iterable[Fault]:
    for before, row in pairwise(rows):
        if row.first_offset > before.next_offset:
            yield _fault(row, "no ledger row", before.next_offset, row.first_offset)
        elif row.first_offset < before.next_offset:
            yield _fault(row, "two ledger rows", row.first_offset, min(before.next_offset, row.next_offset))


def _standing_faults(standing: Standing, last: LedgerRange | None) -> Iterable[Fault]:
    at = standing.next_offset
    if last is not None and last.next_offset != at:
        low, high = sorted((last.next_offset, at))
        yield _standing_fault(standing, low, high, f"the ledger ends at {last.next_offset}, progress stands at {at}")
    if standing.log_end is None:
        yield _standing_fault(standing, at, at, "the brokers know no such partition")
    elif standing.log_end < at:
        yield _standing_fault(standing, standing.log_end, at, f"the log ends at {standing.log_end}, below {at}")
    if last is not None and standing.committed is not None and standing.committed > at:
        yield _standing_fault(
            standing, at, standing.committed, f"the group committed {standing.committed}, beyond {at}"
        )


def _place(row: LedgerRange) -> tuple[str, int, int, int]:
    return row.topic, row.partition, row.epoch, row.first_offset


def _fault(row: LedgerRange, problem: str, first: int | None = None, after: int | None = None) -> Fault:
    return Fault(
        row.topic,
        row.partition,
        row.epoch,
        row.first_offset if first is None else first,
        row.next_offset if after is None else after,
        problem,
    )


def _standing_fault(standing: Standing, first: int, after: int, problem: str) -> Fault:
    return Fault(standing.topic, standing.partition, standing.epoch, first, after, problem)
