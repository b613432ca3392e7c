"""What the database tells at once: that rules, hosts, teams or configuration have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

CHANNEL = "mutt_config"
PING_S = 15.0
"""The listening connection is asked this often whether it still lives."""

Connect = Callable[[], Awaitable[asyncpg.Connection]]


async def hear(connection: asyncpg.Connection, changed: asyncio.Event) -> None:
    """Sets `changed` now, for what nobody heard, and at every notice until the connection ends. Ends it on its way out.

    Errors of asyncpg leave as they are.
    """
    ended = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _: ended.set())
        await connection.add_listener(CHANNEL, lambda *_: changed.set())
        changed.set()
        while not ended.is_set():
            try:
                async with asyncio.timeout(PING_S):
                    await ended.wait()
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=5.0)
    finally:
        connection.terminate()
