"""How often rules decided: from the rows of audited events, newest first, and no further than one wants to count."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from streams.adapters.transactions import Transactions

DAY = dt.timedelta(days=1)
MONTH = dt.timedelta(days=30)
MOST_HITS = 1000
"""Hits that are counted of one rule; one more says that there are more."""

# The index on (rule_id, broker_time) answers all of it; the second question is put only where the month has no hit.
_USAGE = """
SELECT r.id, month.day, month.hits, coalesce(month.last, (
           SELECT broker_time FROM audit WHERE rule_id = r.id ORDER BY broker_time DESC LIMIT 1)) AS last
  FROM unnest($1::integer[]) AS r(id) CROSS JOIN LATERAL (
       SELECT count(*) FILTER (WHERE broker_time >= $3) AS day, count(*) AS hits, max(broker_time) AS last FROM (
              SELECT broker_time FROM audit WHERE rule_id = r.id AND broker_time >= $2
               ORDER BY broker_time DESC LIMIT $4) newest) month
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Hits of one rule up to MOST_HITS + 1, and the time of the last one that is still in the audit."""

    day: int
    month: int
    last: dt.datetime | None


class RuleUsage:
    """Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def of(self, rule_ids: Sequence[int], now: dt.datetime) -> dict[int, Usage]:
        """For each of these ids, whether there is such a rule or not."""
        async with self._transactions.reading() as connection:
            rows = await connection.fetch(_USAGE, list(rule_ids), now - MONTH, now - DAY, MOST_HITS + 1)
        return {row["id"]: Usage(row["day"], row["hits"], row["last"]) for row in rows}
