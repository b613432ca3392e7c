"""Writes indicators of the API into the SLI table."""

from __future__ import annotations

from collections.abc import Sequence

from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.indicator_book import IndicatorRow

TOPIC = "http"
"""In the place of a topic: these do not come from Kafka. All API processes share a row a minute."""

_ADD = """
INSERT INTO sli (component, topic, partition, minute, good, total)
SELECT component, $1, 0, minute, good, total
  FROM unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[]) AS rows (component, minute, good, total)
ON CONFLICT (component, topic, partition, minute)
DO UPDATE SET good = sli.good + excluded.good, total = sli.total + excluded.total
"""


class PostgresIndicators:
    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def add(self, rows: Sequence[IndicatorRow]) -> None:
        """Adds them, all or none. Raises StoreUnavailable, and then it may still have been written."""
        columns = ([row.component.value for row in rows], [row.minute for row in rows])
        counts = ([row.good for row in rows], [row.total for row in rows])
        async with self._transactions.writing(Author("api")) as connection:
            await connection.execute(_ADD, TOPIC, *columns, *counts)
