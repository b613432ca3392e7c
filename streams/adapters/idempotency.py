"""Idempotency keys in PostgreSQL: taken by one statement, so that of many requests at once one begins."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.idempotency import (
    KEPT,
    LEASE,
    Begun,
    InFlight,
    KeptAnswer,
    KeptRequest,
    KeyedRequest,
    Verdict,
    verdict_on,
)

_BEGIN = """
INSERT INTO idempotency_keys AS i (client, key, request, body_sha256, lease, lease_until)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval)
ON CONFLICT (client, key) DO UPDATE SET request = excluded.request, body_sha256 = excluded.body_sha256,
    state = 'in_flight', lease = excluded.lease, lease_until = excluded.lease_until,
    status = NULL, headers = NULL, body = NULL, created_at = excluded.created_at
WHERE i.created_at <= now() - $7::interval
   OR (i.state = 'in_flight' AND i.lease_until <= now()
       AND i.request = excluded.request AND i.body_sha256 = excluded.body_sha256)
RETURNING true"""
_KEPT = """
SELECT request, body_sha256, nullif(status, 0) AS status, headers, body, status = 0 AND lease_until <= now() AS lost
  FROM idempotency_keys WHERE client = $1 AND key = $2"""
_SETTLE = """
UPDATE idempotency_keys SET state = 'done', status = $4, headers = $5, body = $6
WHERE client = $1 AND key = $2 AND lease = $3 AND (state = 'in_flight' OR status = 0)"""
_RELEASE = "DELETE FROM idempotency_keys WHERE client = $1 AND key = $2 AND lease = $3 AND state = 'in_flight'"
_FORGET = """
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM idempotency_keys WHERE created_at <= now() - $1::interval ORDER BY created_at LIMIT $2))
RETURNING 1"""

_OWN = Author("api")


class IdempotencyKeys:
    """Implements IdempotencyStore on PostgreSQL."""

    def __init__(self, transactions: Transactions, *, lease: dt.timedelta = LEASE, kept: dt.timedelta = KEPT) -> None:
        self._transactions = transactions
        self._lease = lease
        self._kept = kept

    async def begin(self, asked: KeyedRequest) -> Verdict:
        lease = uuid.uuid4()
        async with self._transactions.writing(_OWN) as connection:
            if await connection.fetchval(_BEGIN, *_values(asked), lease, self._lease, self._kept):
                return Begun(lease)
            row = await connection.fetchrow(_KEPT, asked.client, asked.key)
        return verdict_on(asked, _kept(row)) if row else InFlight()  # released this moment

    async def settle(self, asked: KeyedRequest, lease: uuid.UUID, answer: KeptAnswer) -> None:
        headers = json.dumps(answer.headers)
        async with self._transactions.writing(_OWN) as connection:
            await connection.execute(_SETTLE, asked.client, asked.key, lease, answer.status, headers, answer.body)

    async def release(self, asked: KeyedRequest, lease: uuid.UUID) -> None:
        async with self._transactions.writing(_OWN) as connection:
            await connection.execute(_RELEASE, asked.client, asked.key, lease)

    async def forget(self, limit: int) -> int:
        """Deletes the oldest of what is past its time; returns how many."""
        async with self._transactions.writing(_OWN) as connection:
            return len(await connection.fetch(_FORGET, self._kept, limit))


def _values(asked: KeyedRequest) -> tuple[Any, ...]:
    return asked.client, asked.key, asked.request, asked.body_sha256


def _kept(row: Any) -> KeptRequest:
    answer = None
    if row["status"] is not None:
        headers = tuple((name, value) for name, value in json.loads(row["headers"]))
        answer = KeptAnswer(row["status"], headers, row["body"])
    return KeptRequest(row["request"], row["body_sha256"], answer, lost=bool(row["lost"]))
