"""Where to begin, and what of polled batches is still to do."""

from __future__ import annotations

import datetime as dt

import pytest

from streams.core.batches import CorruptBatch, PlainRecord, PolledBatch
from streams.core.progress import Behind, LedgerRow, Progress, Start, Todo, start_position, still_to_do

MINUTE = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def batch(first: int, *offsets: int, rewound: bool = False) -> PolledBatch:
    records = [PlainRecord(offset, 0, b"k", b"v") for offset in offsets]
    return PolledBatch("t", 0, first, offsets[-1] + 1, records, rewound, lambda: None)


@pytest.mark.parametrize(
    ("next_offset", "known", "begin", "end", "expected"),
    [
        (0, False, 0, 0, Start(0, verify=False)),
        (10, True, 0, 20, Start(9, verify=True)),
        (10, True, 0, 10, Start(9, verify=True)),  # nothing new, yet the last record is compared
        (10, True, 10, 20, Start(10, verify=False)),  # retention took the last record
        (10, True, 15, 20, Start(10, verify=False)),  # a gap: the lane will see it
        (10, False, 0, 20, Start(10, verify=False)),
    ],
)
def test_start(next_offset: int, known: bool, begin: int, end: int, expected: Start) -> None:
    progress = Progress(next_offset=next_offset, last_sha256=b"x" if known else None)
    assert start_position(progress, begin, end) == expected


@pytest.mark.parametrize(
    ("minute", "ruleset_version", "first"),
    [(MINUTE, 7, 40), (MINUTE, 8, None), (MINUTE + dt.timedelta(minutes=1), 7, None)],
)
def test_a_row_of_the_ledger_is_extended_within_its_minute_and_rule_set(
    minute: dt.datetime, ruleset_version: int, first: int | None
) -> None:
    progress = Progress(next_offset=50, last_row=LedgerRow(40, MINUTE, 7))
    assert progress.extends(minute, ruleset_version) == first
    assert Progress(next_offset=50).extends(minute, ruleset_version) is None


def test_a_log_that_ends_below_our_position_halts() -> None:
    answer = start_position(Progress(next_offset=10), 0, 9)
    assert isinstance(answer, str)
    assert "ends at 9" in answer


def todo(batches: list[PolledBatch], expected: int) -> Todo:
    answer = still_to_do(batches, expected)
    assert isinstance(answer, Todo)
    return answer


def test_consecutive_batches_are_one_piece_of_work() -> None:
    answer = todo([batch(5, 5, 6), batch(7, 7)], 5)
    assert (answer.first, answer.after, [record.offset for record in answer.records]) == (5, 8, [5, 6, 7])


def test_redelivered_records_are_left_out_and_the_last_one_done_is_shown() -> None:
    answer = todo([batch(3, 3, 4, 5, 6)], 5)
    assert [record.offset for record in answer.records] == [5, 6]
    assert answer.previous is not None
    assert answer.previous.offset == 4


def test_a_batch_done_before_leaves_nothing() -> None:
    answer = todo([batch(3, 3, 4)], 5)
    assert (answer.first, answer.after, answer.records) == (5, 5, [])


def test_a_hole_in_what_was_read_is_part_of_the_range() -> None:
    answer = todo([batch(5, 8, 9)], 5)
    assert (answer.first, answer.after, len(answer.records)) == (5, 10, 2)


def test_a_part_ends_after_its_last_record_and_the_rest_begins_there() -> None:
    batches = [batch(5, 5, 6), batch(7, 9, 10, 12)]
    whole = todo(batches, 5)
    part = whole.up_to(3)
    assert (part.first, part.after, [record.offset for record in part.records]) == (5, 10, [5, 6, 9])
    rest = todo(batches, part.after)
    assert (rest.first, rest.after, [record.offset for record in rest.records]) == (10, 13, [10, 12])
    assert whole.up_to(5) is whole


def test_a_part_does_not_halt_for_what_only_the_rest_runs_into() -> None:
    answer = still_to_do(
        [PolledBatch("t", 0, 0, 3, [*batch(0, 0, 1).records, CorruptBatch(2, 0, "torn")], False, int)], 0
    )
    assert isinstance(answer, Todo)
    assert answer.halt == "torn"
    assert answer.up_to(1).halt is None


def test_a_part_shows_the_record_before_it_too() -> None:
    whole = todo([batch(3, 4, 5, 6)], 5)
    assert whole.previous is not None
    assert whole.up_to(1).previous is whole.previous


def test_records_read_from_above_are_no_gap() -> None:
    assert still_to_do([batch(8, 8)], 5) == Behind(5)


def test_what_was_read_beyond_a_break_is_done_after_it() -> None:
    answer = todo([batch(5, 5, 6), batch(9, 9)], 5)
    assert (answer.after, [record.offset for record in answer.records]) == (7, [5, 6])
    nothing_new = todo([batch(3, 3, 4), batch(5, 5), batch(9, 9)], 5)
    assert (nothing_new.after, len(nothing_new.records)) == (6, 1)


@pytest.mark.parametrize(("first", "expected"), [(4, None), (5, Behind(4)), (6, Behind(4))])
def test_the_record_to_compare_must_have_been_read(first: int, expected: Behind | None) -> None:
    answer = still_to_do([batch(first, *range(first, 8))], 5, verify=True)
    assert answer == expected if expected else isinstance(answer, Todo)


def test_a_log_that_went_back_halts() -> None:
    answer = still_to_do([batch(5, 5, 6), batch(0, 0, rewound=True)], 5)
    assert answer == "the log went back: offset 0 came after 6 was read"


def test_a_corrupt_batch_halts_after_what_comes_before_it() -> None:
    bad = PolledBatch("t", 0, 5, 8, [PlainRecord(5, 0, None, b""), CorruptBatch(6, 0, "crc")], False, lambda: None)
    answer = todo([bad], 5)
    assert (answer.after, answer.halt) == (6, "crc")


@pytest.mark.parametrize("first", [True, False])
def test_a_corrupt_batch_at_the_start_leaves_nothing_to_do(first: bool) -> None:
    bad = PolledBatch("t", 0, 5 if first else 3, 6, [CorruptBatch(5, 0, "crc")], False, lambda: None)
    answer = todo([bad], 5)
    assert (answer.first, answer.after, answer.halt) == (5, 5, "crc")
