"""Does every offset have exactly one fate? Detectors lost, ledger, twice, counters, stuck and progress."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256

from tests.chaos.checker.evidence import (
    GOOD,
    KINDS,
    OURS,
    Epoch,
    Findings,
    LedgerRow,
    Letter,
    Log,
    Partition,
    Place,
    Record,
    Sent,
    digest,
)

BATCH = re.compile(r"offsets (\d+) to (\d+) are one batch")
"""The detail of a letter that stands for a producer batch too large to unpack."""


def offsets_of(letter: Letter) -> range:
    """The offsets a letter stands for: one, or all of a batch too large to unpack."""
    batch = BATCH.match(letter.detail) if letter.reason == "too_large" else None
    return range(int(batch[1]), int(batch[2]) + 1) if batch else range(letter.offset, letter.offset + 1)


def check_books(part: Partition, out: Findings) -> None:
    lost(part, out)
    ledger(part, out)
    twice(part, out)
    counters(part, out)
    stands(part, out)


def lost(part: Partition, out: Findings) -> None:
    """What the broker acknowledged lies on the topic, below where its partition stands, with one fate that is none of
    "it was not there"."""
    stand = part.standing.next_offset if part.standing else 0
    lines = sorted((row.first, row.after) for row in part.ledger)
    offsets = [*part.acked, *(sent.offset for sent in part.sent)]
    out.saw("lost", len(offsets))
    for offset in offsets:
        if offset >= stand and not part.halt_expected:
            out.wrong("lost", part.at(offset), f"acknowledged, but its partition stands at {stand}")
        elif offset < stand and not _covered(offset, lines):
            out.wrong("lost", part.at(offset), "acknowledged, but no ledger row covers it", _lines(part))
    if part.log is not None:
        _acked_lie_there(part, part.log, out)
        _missing_are_missing(part, part.log, out)
        _same_log(part, part.log, out)


def _covered(offset: int, lines: list[tuple[int, int]]) -> bool:
    at = bisect_left(lines, (offset + 1, 0)) - 1
    return at >= 0 and lines[at][0] <= offset < lines[at][1]


def _acked_lie_there(part: Partition, log: Log, out: Findings) -> None:
    there = {record.offset: record for record in log.records}
    for sent in _newest(part.sent) if len(part.epochs) > 1 else part.sent:
        if sent.offset < log.begin:
            continue
        record = there.get(sent.offset)
        if record is not None and digest(record.key, record.value, record.headers) != sent.digest:
            out.wrong("lost", part.at(sent.offset), f"journal {sent.number}: other bytes lie where it was acknowledged")
        elif record is None and len(part.epochs) == 1:
            out.wrong("lost", part.at(sent.offset), f"journal {sent.number}: acknowledged, not on the topic")


def _newest(sent: Iterable[Sent]) -> Iterable[Sent]:
    """Of records acknowledged at one offset the last: the log was replaced, and the plan knows."""
    return {one.offset: one for one in sorted(sent, key=lambda one: one.number)}.values()


def _same_log(part: Partition, log: Log, out: Findings) -> None:
    """The last record of each ledger row is the one that was there then: else the log was replaced, and nobody saw."""
    offsets = [record.offset for record in log.records]
    packed = {o for letter in part.letters if BATCH.match(letter.detail) for o in offsets_of(letter)[-1:]}
    for row in _current(part):
        at = bisect_left(offsets, row.after) - 1
        if row.sha256 is None or at < 0 or offsets[at] < row.first or offsets[at] in packed:
            continue  # nothing to compare with, or a batch that was never unpacked
        record = log.records[at]
        if sha256((record.key or b"") + b"\0" + (record.value or b"")).digest() != row.sha256:
            detail = "another record lies there than was decided over: the log was replaced"
            out.wrong("lost", part.at(record.offset), detail, _lines(part))


def _missing_are_missing(part: Partition, log: Log, out: Findings) -> None:
    """Offsets that the ledger says the log did not have: they must really not be there."""
    offsets = [record.offset for record in log.records]
    for row in _current(part):
        there = bisect_left(offsets, row.after) - bisect_left(offsets, row.first)
        size, missing = row.after - row.first, row.counts["missing"]
        if missing and there > size - missing:
            too_many = there - (size - missing)
            detail = f"{missing} offsets are booked as missing, but {too_many} of them lie on the topic"
            out.wrong("lost", _where(part, row), detail, _lines(part))


def _current(part: Partition) -> list[LedgerRow]:
    """The ledger of the log that lies there now."""
    newest = part.standing.epoch if part.standing else max((row.epoch for row in part.ledger), default=0)
    return [row for row in part.ledger if row.epoch == newest]


def ledger(part: Partition, out: Findings) -> None:
    """Ranges tile the partition up to its place; counts add up to them and to the rows that are there."""
    out.saw("ledger", len(part.ledger))
    ends: dict[int, int] = {}
    for row in part.ledger:
        if ends.setdefault(row.epoch, row.first) != row.first:
            overlap = ends[row.epoch] > row.first
            detail = f"the range before ends at {ends[row.epoch]}: {'an overlap' if overlap else 'a hole'}"
            out.wrong("ledger", _where(part, row), detail, _lines(part))
        ends[row.epoch] = row.after
        if sum(row.counts[kind] for kind in KINDS) != row.after - row.first:
            out.wrong("ledger", _where(part, row), "its counts do not add up to its range", _lines(part))
    _rows_are_there(part, out)
    standing = part.standing
    if standing is None and part.ledger:
        out.wrong("ledger", str(part.place), "there is a ledger, but no progress")
    elif standing is not None and ends.get(standing.epoch, standing.next_offset) != standing.next_offset:
        detail = f"ends at {ends[standing.epoch]}, progress stands at {standing.next_offset}"
        out.wrong("ledger", str(part.place), detail, _lines(part))
    elif standing is not None and standing.epoch not in ends and _has_rows(part):
        out.wrong("ledger", str(part.place), "rows are there, but no ledger")


def _has_rows(part: Partition) -> bool:
    return bool((part.audit or part.alerts or part.letters) and not part.ledger)


def _rows_are_there(part: Partition, out: Findings) -> None:
    """Each ledger row against audit, alerts and letters of its range; and no row outside every range."""
    for epoch in part.epochs:
        rows = [row for row in part.ledger if row.epoch == epoch.number]
        for what, offsets, counted in _kept(part, epoch, rows):
            covered = 0
            for row, wanted in zip(rows, counted, strict=True):
                there = bisect_left(offsets, row.after) - bisect_left(offsets, row.first)
                covered += there
                if there != wanted:
                    detail = f"{wanted} {what} by the ledger, {there} there"
                    out.wrong("ledger", _where(part, row), detail, _lines(part))
            if rows and covered < len(offsets):
                detail = f"{len(offsets) - covered} {what} lie in no range of the ledger"
                out.wrong("ledger", f"{part.place} epoch {epoch.number}", detail, _lines(part))


def _kept(part: Partition, epoch: Epoch, rows: list[LedgerRow]) -> Iterable[tuple[str, list[int], list[int]]]:
    """What is kept of an epoch: its name, the offsets that have it, and how many each ledger row counts."""
    letters = sorted(o for letter in part.letters if _in(epoch, letter.at) for o in offsets_of(letter))
    return (
        ("audit rows", sorted(row.offset for row in part.audit if _in(epoch, row.at)), [row.audited for row in rows]),
        ("alerts", sorted(row.offset for row in part.alerts if _in(epoch, row.at)), [row.alerts for row in rows]),
        ("letters", letters, [row.counts["rejected"] + row.counts["shed"] for row in rows]),
    )


def _in(epoch: Epoch, at: int) -> bool:
    return (epoch.since is None or at >= epoch.since) and (epoch.until is None or at < epoch.until)


def twice(part: Partition, out: Findings) -> None:
    """One record, two rows. Ids are derived from places; the places must be unique all the same."""
    out.saw("twice", len(part.audit) + len(part.alerts) + len(part.letters))
    many = len(part.epochs) > 1  # offsets are used again: the broker's time tells them apart
    rows: dict[str, Iterable[tuple[object, int]]] = {
        "audit": ((("", row.at if many else 0), row.offset) for row in part.audit),
        "alerts": (((row.kind, row.at if many else 0), row.offset) for row in part.alerts),
        "dead_letters": ((("", row.at if many else 0), o) for row in part.letters for o in offsets_of(row)),
    }
    for table, keys in rows.items():
        for (_, offset), count in Counter(keys).items():
            if count > 1:
                out.wrong("twice", f"{table} {part.at(offset)}", f"{count} rows", part.query(table, offset))
    letters = {(letter.offset, letter.at): letter.reason for letter in part.letters}
    for row in part.audit:
        reason = letters.get((row.offset, row.at))
        if reason is not None and not (row.disposition == "shed" and reason == "shed"):
            out.wrong("twice", part.at(row.offset), "an audit row and a letter", part.query("audit", row.offset))


def counters(part: Partition, out: Findings) -> None:
    """The service level counters equal the ledger."""
    if not part.ledger and not part.sli:
        return
    out.saw("counters")
    sums = Counter[str]()
    for row in part.ledger:
        sums.update(row.counts)
    good = sum(sums[kind] for kind in GOOD)
    failed = sum(letter.reason in OURS for letter in part.letters)
    every = sum(row.after - row.first for row in part.ledger)
    wanted: Mapping[str, tuple[int, int]] = {
        "ingestor": (good, good + sums["shed"] + sums["missing"] + failed),
        "audit": (every - sums["missing"], every),
    }
    for component, pair in wanted.items():
        if part.sli.get(component) != pair:
            detail = f"{component}: sli has {part.sli.get(component)}, the ledger {pair} (good, total)"
            query = f"SELECT * FROM sli WHERE topic = '{part.topic}' AND partition = {part.partition}"
            out.wrong("counters", str(part.place), detail, query)


def stands(part: Partition, out: Findings) -> None:
    """Once all is quiet nothing waits, and nothing stands still for good."""
    standing, log = part.standing, part.log
    if part.halt_expected:
        return
    out.saw("stuck")
    if standing is not None and standing.halted is not None:
        out.wrong("stuck", str(part.place), f"halted: {standing.halted}")
        if "duplicate key" in standing.halted:
            out.wrong("twice", str(part.place), f"a second row was tried, and the keys refused it: {standing.halted}")
    elif log is not None and log.records and (standing is None or log.records[-1].offset >= standing.next_offset):
        stand = standing.next_offset if standing else "nothing"
        out.wrong("stuck", str(part.place), f"stands at {stand}, the log goes on to {log.end}")
    if standing is not None and log is not None and standing.next_offset > log.end:
        out.wrong("progress", str(part.place), f"stands at {standing.next_offset}, the log ends at {log.end}")


def kafka_behind(committed: Mapping[Place, int], stands_at: Mapping[Place, int], out: Findings) -> None:
    """What Kafka was told is done never exceeds what is done."""
    out.saw("progress", len(committed))
    for place, offset in committed.items():
        if offset > stands_at.get(place, 0):
            out.wrong("progress", str(place), f"committed to Kafka {offset}, stands at {stands_at.get(place)}")


def failed_are_not_there(
    failed: Mapping[bytes, int], lines: Mapping[bytes, int], there: Mapping[bytes, int], unknown: Mapping[bytes, int],
    out: Findings,
) -> None:  # fmt: skip
    """What the journal says failed lies nowhere. By digest of the record: how often it failed, was acknowledged
    (`lines`), lies on the topics, and had no answer."""
    out.saw("lost", sum(failed.values()))
    for record, count in failed.items():
        surplus = there.get(record, 0) - lines.get(record, 0) - unknown.get(record, 0)
        if surplus > 0:
            out.wrong("lost", f"record {record.hex()}", f"failed {count} times, yet lies there {surplus} times")


def digests(records: Iterable[Record]) -> Counter[bytes]:
    return Counter(digest(record.key, record.value, record.headers) for record in records)


def _where(part: Partition, row: LedgerRow) -> str:
    return f"{part.topic}:{part.partition} epoch {row.epoch} [{row.first}, {row.after})"


def _lines(part: Partition) -> str:
    return (
        f"SELECT * FROM ledger WHERE topic = '{part.topic}' AND partition = {part.partition}"
        " ORDER BY epoch, first_offset"
    )
