"""Advisory locks of PostgreSQL: of many that want to do a thing, one does it. The lock ends with its connection."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from typing import Any

import asyncpg

ANSWER_TIMEOUT_S = 5.0
ENDED = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver says of a connection that has ended; the latter where it ends just then."""

_NOTICE_A_LOST_CLIENT = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
"""A machine that vanished without a word would keep its locks for hours. The pool resets it with the connection."""


def lock_key(what: str, which: uuid.UUID | None = None) -> int:
    """A signed 64-bit key for a purpose, and one thing of many where `which` is given."""
    digest = blake2b(what.encode() + (which.bytes if which else b""), digest_size=8, person=b"mutt").digest()
    return int.from_bytes(digest, "big", signed=True)


class Lock:
    """A lock that is held, as long as its connection lives."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def holds(self) -> bool:
        """Whether it is still ours: asks the server, on the lock's own connection. Never raises."""
        try:
            await self._connection.execute("SELECT 1", timeout=ANSWER_TIMEOUT_S)
        except (asyncpg.PostgresError, *ENDED, OSError, TimeoutError):
            return False
        return True


@asynccontextmanager
async def lock(pool: asyncpg.Pool, key: int) -> AsyncIterator[Lock | None]:
    """The lock if it is free, held until the end on a connection of its own; else None. Never waits for it."""
    async with pool.acquire() as connection:
        await connection.execute(_NOTICE_A_LOST_CLIENT)
        held: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", key)
        try:
            yield Lock(connection) if held else None
        finally:
            if held:
                with suppress(*ENDED):  # the connection has ended, and the lock with it
                    await connection.execute("SELECT pg_advisory_unlock($1)", key)


@asynccontextmanager
async def try_lock(pool: asyncpg.Pool, key: int) -> AsyncIterator[bool]:
    """Whether the lock is ours; if so it is held until the end."""
    async with lock(pool, key) as held:
        yield held is not None
