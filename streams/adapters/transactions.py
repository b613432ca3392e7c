"""Transactions bounded in time: snapshots to read from, and changes signed by their author."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from schemas.errors import StoreUnavailable, TooSlow
from streams.adapters.faults import store_faults
from streams.core.authors import Author, Hold

ACQUIRE_S = 2.0
"""How long a connection may take, and then the server's first word: beyond it the server is away."""
ANSWER_S = 8.0
"""Bound on one statement, which a server that works keeps by itself."""
SILENCE_S = 1.0
"""So long after that everything one request asks is cut; together below the driver's own bound on a statement."""

_SIGN = """
SELECT set_config('mutt.actor', $1, true), set_config('mutt.reason', $2, true), set_config('mutt.client_id', $3, true),
       set_config('mutt.correlation_id', $4, true), set_config('mutt.request_id', $5, true)
"""


async def sign(connection: Any, author: Author) -> None:
    """Tells the transaction in hand who acts: the database writes it beside every change (I8)."""
    names = author.actor, author.reason, author.client_id, author.correlation_id, author.request_id
    await connection.execute(_SIGN, *(name or "" for name in names))


_DONE = """
WITH done AS (UPDATE idempotency_keys SET state = 'done', status = 0, headers = '[]', body = ''
               WHERE client = $1 AND key = $2 AND lease = $3 AND state = 'in_flight')
SELECT EXISTS (SELECT FROM idempotency_keys WHERE client = $1 AND key = $2 AND lease <> $3)"""
"""Status 0: done, and its answer is still to be kept. Whether the key is another's."""


async def finish(connection: Any, hold: Hold) -> None:
    """Commits with what was done that it was done. Raises StoreUnavailable when another runs in its place by now."""
    if await connection.fetchval(_DONE, hold.client, hold.key, hold.lease):
        raise StoreUnavailable("it took so long that another request with its Idempotency-Key runs in its place")


class Transactions:
    """On a pool. `acquire_s` bounds the wait for a connection and for the server's first word, `answer_s` a statement.

    Every fault of the store is StoreUnavailable; of a server that said its first word in time it is TooSlow.
    """

    def __init__(self, pool: asyncpg.Pool, *, acquire_s: float = ACQUIRE_S, answer_s: float = ANSWER_S) -> None:
        self._pool = pool
        self._acquire_s = acquire_s
        self._answer_s = answer_s

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """A connection in a read-only transaction of one snapshot."""
        async with self._begun(self._answer_s, isolation="repeatable_read", readonly=True) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self, author: Author, *, answer_s: float | None = None) -> AsyncIterator[Any]:
        """A connection in a transaction that is committed in the end, its changes under this name.

        `answer_s` is for what takes longer than others.
        """
        async with self._begun(answer_s or self._answer_s, isolation="read_committed", readonly=False) as connection:
            await sign(connection, author)
            yield connection
            if author.hold is not None:
                await finish(connection, author.hold)

    @asynccontextmanager
    async def _begun(self, answer_s: float, *, isolation: Any, readonly: bool) -> AsyncIterator[Any]:
        with store_faults():
            async with self._pool.acquire(timeout=self._acquire_s) as connection:
                transaction = connection.transaction(isolation=isolation, readonly=readonly)
                with _cut(connection, self._acquire_s, StoreUnavailable):
                    await transaction.start()
                    await connection.execute(f"SET LOCAL statement_timeout = {round(answer_s * 1000)}")
                with _cut(connection, answer_s + SILENCE_S, TooSlow):
                    try:
                        yield connection
                    except BaseException:
                        if not connection.is_closed():
                            await transaction.rollback()
                        raise
                    await transaction.commit()


@contextmanager
def _cut(connection: Any, seconds: float, then: type[StoreUnavailable]) -> Iterator[None]:
    """Cuts the connection at the deadline, and raises `then`: a frozen server does not even answer a cancellation."""
    passed = False

    def terminate() -> None:
        nonlocal passed
        passed = True
        connection.terminate()

    timer = asyncio.get_running_loop().call_later(seconds, terminate)
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if passed:
            raise then(f"PostgreSQL: no answer within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
