"""Sessions that were ended, in PostgreSQL."""

from __future__ import annotations

import datetime as dt

from streams.adapters.transactions import Transactions
from streams.core.authors import Author

_END = "INSERT INTO ended_sessions (session, until) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_IS_ENDED = "SELECT EXISTS (SELECT FROM ended_sessions WHERE session = $1)"
_FORGET = """
DELETE FROM ended_sessions WHERE ctid = ANY (ARRAY(SELECT ctid FROM ended_sessions WHERE until <= now() LIMIT $1))
RETURNING 1"""

_OWN = Author("api")


class PostgresEndedSessions:
    """Implements EndedSessions."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def end(self, session: str, until: dt.datetime) -> None:
        async with self._transactions.writing(_OWN) as connection:
            await connection.execute(_END, session, until)

    async def is_ended(self, session: str) -> bool:
        async with self._transactions.reading() as connection:
            return bool(await connection.fetchval(_IS_ENDED, session))

    async def forget(self, limit: int) -> int:
        """Deletes some of what is past its time; returns how many."""
        async with self._transactions.writing(_OWN) as connection:
            return len(await connection.fetch(_FORGET, limit))
