"""Minutes that wait to be written: added up, put back, bounded."""

from __future__ import annotations

import datetime as dt

from schemas.slo import Component
from streams.core.indicator_book import IndicatorBook, IndicatorRow

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def test_occurrences_of_a_minute_are_added_up() -> None:
    book = IndicatorBook()
    for seconds, good in ((0, 1), (59, 0), (60, 1)):
        book.count(Component.API, NOON + dt.timedelta(seconds=seconds), good=good, total=1)
    book.count(Component.INGESTOR, NOON, good=0, total=5)
    assert book.drain() == [
        IndicatorRow(Component.API, NOON, 1, 2),
        IndicatorRow(Component.API, NOON + MINUTE, 1, 1),
        IndicatorRow(Component.INGESTOR, NOON, 0, 5),
    ]
    assert book.drain() == []


def test_what_is_put_back_is_added_to_what_came_meanwhile() -> None:
    book = IndicatorBook()
    book.count(Component.API, NOON, good=1, total=1)
    rows = book.drain()
    book.count(Component.API, NOON, good=0, total=1)
    book.put_back(rows)
    assert book.drain() == [IndicatorRow(Component.API, NOON, 1, 2)]


def test_beyond_the_bound_the_oldest_goes_and_is_counted() -> None:
    book = IndicatorBook(most=2)
    for minute in (2, 0, 1):
        book.count(Component.API, NOON + minute * MINUTE, good=1, total=3)
    assert [row.minute for row in book.drain()] == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert book.dropped == 3
