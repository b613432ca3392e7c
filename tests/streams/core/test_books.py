"""The books: every way in which they can be wrong is found and named by its range."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from schemas.events import Disposition
from streams.core.books import LedgerRange, Standing, faults

MINUTE = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def row(first: int, after: int, *, epoch: int = 0, ignored: int | None = None, **overrides: Any) -> LedgerRange:
    """A row whose offsets were all ignored, where nothing else is said."""
    counts = dict.fromkeys(Disposition, 0) | overrides.pop("counts", {})
    rest = after - first - sum(counts.values()) - overrides.get("missing", 0)
    counts[Disposition.IGNORED] += rest if ignored is None else ignored
    empty = dict.fromkeys(("missing", "audited", "alerts", "audit_rows", "alert_rows", "letter_offsets"), 0)
    return LedgerRange("t", 0, epoch, first, after, MINUTE, counts, **empty | overrides)


def standing(next_offset: int, **overrides: Any) -> Standing:
    return Standing(
        **{"topic": "t", "partition": 0, "epoch": 0, "next_offset": next_offset, "log_end": 100} | overrides
    )


@pytest.mark.parametrize(
    ("rows", "at"),
    [
        ([], standing(5)),
        ([row(3, 10), row(10, 12)], standing(12)),
        ([row(10, 12), row(3, 10)], standing(12, committed=12)),
        ([row(0, 90), row(40, 50, epoch=1)], standing(50, epoch=1)),
        ([row(0, 9)], standing(9, log_end=9, committed=3)),
        (
            [
                row(
                    0, 9, missing=2, audited=3, audit_rows=3, alerts=1, alert_rows=1, letter_offsets=3,
                    counts={Disposition.ALERTED: 1, Disposition.REJECTED: 2, Disposition.SHED: 1},
                )
            ],
            standing(9),
        ),
        (
            [
                row(
                    0, 9, audited=3, audit_rows=1, archived_audit=2, alerts=1, archived_alerts=1, letter_offsets=1,
                    archived_letters=1, counts={Disposition.ALERTED: 1, Disposition.REJECTED: 2},
                )
            ],
            standing(9),
        ),
    ],
)  # fmt: skip
def test_books_that_balance(rows: list[LedgerRange], at: Standing) -> None:
    assert faults(rows, [at]) == []


@pytest.mark.parametrize(
    ("rows", "at", "problem"),
    [
        ([row(0, 5), row(7, 9)], standing(9), "t:0 epoch 0 [5, 7): no ledger row"),
        ([row(0, 5), row(3, 9)], standing(9), "t:0 epoch 0 [3, 5): two ledger rows"),
        ([row(0, 5)], standing(9), "t:0 epoch 0 [5, 9): the ledger ends at 5, progress stands at 9"),
        ([row(0, 9)], standing(5), "t:0 epoch 0 [5, 9): the ledger ends at 9, progress stands at 5"),
        ([row(0, 9)], standing(9, log_end=4), "t:0 epoch 0 [4, 9): the log ends at 4, below 9"),
        ([row(0, 9)], standing(9, log_end=None), "t:0 epoch 0 [9, 9): the brokers know no such partition"),
        ([row(0, 9)], standing(9, committed=11), "t:0 epoch 0 [9, 11): the group committed 11, beyond 9"),
        ([row(0, 9, ignored=8)], standing(9), "t:0 epoch 0 [0, 9): 8 dispositions counted, 9 offsets"),
        ([row(0, 9, audited=1)], standing(9), "t:0 epoch 0 [0, 9): 1 audit rows by the ledger, 0 audit rows"),
        (
            [row(0, 9, audited=3, audit_rows=2, archived_audit=2)],
            standing(9),
            "t:0 epoch 0 [0, 9): 3 audit rows by the ledger, 2 audit rows and 2 archived",
        ),
        ([row(0, 9, alert_rows=1)], standing(9), "t:0 epoch 0 [0, 9): 0 alerts by the ledger, 1 alerts"),
        (
            [row(0, 9, counts={Disposition.SHED: 2}, letter_offsets=1)],
            standing(9),
            "t:0 epoch 0 [0, 9): 2 rejected or shed, 1 in dead letters",
        ),
    ],
)
def test_books_that_do_not(rows: list[LedgerRange], at: Standing, problem: str) -> None:
    assert [str(fault) for fault in faults(rows, [at])] == [problem]


def test_ledger_rows_of_a_partition_without_progress() -> None:
    assert [fault.problem for fault in faults([row(0, 5)], [])] == ["the partition has ledger rows but no progress"]


def test_lag_is_known_where_the_log_is() -> None:
    assert (standing(90).lag, standing(90, log_end=None).lag) == (10, None)
