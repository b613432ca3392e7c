"""Failed authentications: how many get by, and how little of a flood is remembered."""

from __future__ import annotations

import datetime as dt

import pytest

from streams.core.api_keys import Failure
from streams.core.auth_failures import OTHERS, FailureBook
from streams.core.auth_limits import FailureLimits, FailurePolicy, neighbourhood
from streams.core.rate_limit import RatePolicy

POLICY = FailurePolicy(address=RatePolicy(1, 1, saved=3), key=RatePolicy(1, 5, saved=2), remembered=100)
NOON = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


def test_an_address_gets_what_was_saved_up_and_then_its_rate() -> None:
    limits = FailureLimits(POLICY)
    assert [limits.failed("a", None, 0.0) > 0 for _ in range(5)] == [False, False, False, True, True]
    assert limits.wait("a", 0.0) == pytest.approx(1.0)
    assert limits.wait("b", 0.0) == 0.0
    assert limits.wait("a", 1.0) == 0.0
    assert limits.failed("a", None, 1.0) == 0.0
    assert limits.failed("a", None, 1.0) > 0


def test_a_key_is_limited_whatever_the_address() -> None:
    limits = FailureLimits(POLICY)
    waits = [limits.failed(f"a{number}", "key", 0.0) for number in range(3)]
    assert waits == [0.0, 0.0, pytest.approx(5.0)]


def test_looking_takes_nothing() -> None:
    limits = FailureLimits(POLICY)
    assert [limits.wait("a", 0.0) for _ in range(100)] == [0.0] * 100
    assert limits.remembered == 0


def test_a_flood_of_addresses_is_not_remembered() -> None:
    limits = FailureLimits(POLICY)
    for number in range(1000):
        limits.failed(f"a{number}", f"k{number}", 0.0)
    assert limits.remembered == 200


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
    ],
)
def test_one_caller(address: str, caller: str) -> None:
    assert neighbourhood(address) == caller


def test_failures_of_one_minute_are_one_row() -> None:
    book = FailureBook()
    for second in (5, 1, 59, 61):
        book.add("a", "key", Failure.WRONG, NOON + dt.timedelta(seconds=second))
    first, second_row = book.drain()
    assert (first.minute, first.failures, first.key_id, first.reason) == (NOON, 3, "key", Failure.WRONG)
    assert first.first_at == NOON + dt.timedelta(seconds=5)
    assert second_row.minute == NOON + dt.timedelta(minutes=1)
    assert book.drain() == ()


def test_a_flood_is_a_bounded_number_of_rows_and_none_is_lost() -> None:
    book, found = FailureBook(rows_a_minute=10), 0
    for turn in range(3):
        for number in range(100):
            book.add(f"a{turn}-{number}", None, Failure.UNKNOWN, NOON)
        rows = book.drain()
        assert len(rows) <= 11
        assert (OTHERS in {row.address for row in rows}) is True
        found += sum(row.failures for row in rows)
    assert found == 300


def test_what_could_not_be_stored_goes_with_the_next() -> None:
    book = FailureBook(rows_a_minute=10)
    book.add("a", None, Failure.UNKNOWN, NOON)
    rows = book.drain()
    book.add("a", None, Failure.UNKNOWN, NOON + dt.timedelta(seconds=9))
    book.put_back(rows)
    (row,) = book.drain()
    assert (row.failures, row.first_at, row.last_at) == (2, NOON, NOON + dt.timedelta(seconds=9))
    for hour in range(3):
        for number in range(600):
            book.add("a", str(number % 10), Failure.WRONG, NOON + dt.timedelta(hours=hour, minutes=number // 10))
    book.put_back(book.drain())
    assert len(book.drain()) == 600
