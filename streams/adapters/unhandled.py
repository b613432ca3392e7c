"""Unhandled signatures as people look at them: what no rule matched, the most frequent first."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from streams.adapters.selects import Select, containing
from streams.adapters.transactions import Transactions
from streams.core.paging import Page, Place, Sort

# The table is bounded: BOOK_LIMIT rows a partition.
_SOURCE = """(
    SELECT topic || ':' || partition || ':' || signature AS id, topic, partition, hostname, template, sample, count,
           window_started AS window_started_at, last_seen AS last_seen_at, alerted FROM unhandled_signatures) s"""
BY_COUNT = Sort("count", descending=True)


@dataclass(frozen=True, slots=True)
class UnhandledQuery:
    """Which ones. None means: not asked for."""

    hostname: str | None = None
    text: str | None = None
    """Part of the message, in any case."""
    sort: Sort = BY_COUNT


@dataclass(frozen=True, slots=True)
class UnhandledSignature:
    """One kind of message of one host that no rule matches."""

    id: str
    """Topic, partition and signature."""
    topic: str
    partition: int
    hostname: str
    template: str
    sample: str
    count: int
    """Events within the window."""
    window_started_at: dt.datetime
    last_seen_at: dt.datetime
    alerted: bool


class UnhandledReads:
    """Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def page(self, query: UnhandledQuery, *, after: Place | None, limit: int) -> Page[UnhandledSignature]:
        select = Select("*", _SOURCE)
        select.where("hostname = {}", query.hostname)
        select.where("sample ILIKE {}", containing(query.text) if query.text is not None else None)
        async with self._transactions.reading() as connection:
            rows, place = await select.page(connection, query.sort, "id", after=after, limit=limit)
        return Page(tuple(map(_seen, rows)), place)


def _seen(row: Any) -> UnhandledSignature:
    return UnhandledSignature(**row)
