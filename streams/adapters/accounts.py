"""What only the tables and the logs together tell: records that wait, ranges that do not add up, keys that end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import asyncpg

from streams.adapters.broker_access import Brokers
from streams.adapters.transactions import Transactions
from streams.adapters.undecided import LogsAndProgress

LATEST = 200
"""Ledger rows of each partition that are looked at: hours, where `mutt ledger verify` looks at all."""

_FAULTS = """
SELECT count(*) FROM partition_progress p CROSS JOIN LATERAL (
       SELECT l.next_offset, lead(l.first_offset, 1, p.next_offset) OVER (ORDER BY l.first_offset) AS follows
         FROM (SELECT first_offset, next_offset FROM ledger
                WHERE topic = p.topic AND partition = p.partition AND epoch = p.epoch
                ORDER BY first_offset DESC LIMIT $1) l) r
 WHERE r.next_offset <> r.follows
"""
"""Where a range does not begin at the end of the one before it, or the last does not end where the partition stands.
That each range adds up in itself is a constraint of the table."""

_EXPIRY = """
SELECT min(ends) FROM (SELECT max(coalesce(expires_at, 'infinity')) AS ends
                         FROM api_keys WHERE revoked_at IS NULL GROUP BY client) clients
 WHERE ends > now() AND ends < 'infinity'
"""
"""A key whose client has one that lasts longer is about to be replaced already."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where the fleet stands."""

    lag: int
    """Records of the ingest topics that no worker has decided over."""
    faults: int
    first_expiry: dt.datetime | None
    """When the first client of the API is left without a key; None where all have one for ever."""


class Accounts:
    """Reads with one connection to PostgreSQL at a time, and one to Kafka that is kept."""

    def __init__(self, pool: asyncpg.Pool, brokers: Brokers) -> None:
        self._transactions = Transactions(pool)
        self._logs = LogsAndProgress(brokers, self._transactions)

    async def read(self) -> Account:
        """Raises Unavailable."""
        async with self._transactions.reading() as connection:
            faults = await connection.fetchval(_FAULTS, LATEST)
            expiry = await connection.fetchval(_EXPIRY)
        return Account(await self._logs.count(), faults, expiry)

    async def close(self) -> None:
        await self._logs.close()
