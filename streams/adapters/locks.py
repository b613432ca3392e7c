"""Advisory locks of PostgreSQL: of many that want to do a thing, one does it. The lock ends with its connection."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b

import asyncpg


def lock_key(what: str, which: uuid.UUID | None = None) -> int:
    """A signed 64-bit key for a purpose, and one thing of many where `which` is given."""
    digest = blake2b(what.encode() + (which.bytes if which else b""), digest_size=8, person=b"mutt").digest()
    return int.from_bytes(digest, "big", signed=True)


@asynccontextmanager
async def try_lock(pool: asyncpg.Pool, key: int) -> AsyncIterator[bool]:
    """Whether the lock is ours; if so it is held until the end, on a connection of its own. Never waits for it."""
    async with pool.acquire() as connection:
        held: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", key)
        try:
            yield held
        finally:
            if held and not connection.is_closed():
                await connection.execute("SELECT pg_advisory_unlock($1)", key)
