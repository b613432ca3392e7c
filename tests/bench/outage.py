"""How fast a worker is after PostgreSQL was away, against how fast it was before, in one run."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from ops.devstack.stack import Stack
from tests.bench.arena import TOPIC, Arena
from tests.bench.exact import check_books
from tests.bench.race import PROGRESS, reach
from tests.bench.report import Figures
from tests.bench.sizes import Sizes
from tests.integration.conftest import Database

AWAY_S = 5.0
BEFORE = 0.4
"""The part of the events that is done before the outage, at least."""


class Probe:
    """Progress through connections that may break."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection | None = None

    async def done(self) -> int:
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._dsn, timeout=5)
            return int(await self._connection.fetchval(PROGRESS, TOPIC))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection = None
            return 0


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """`catch_up`: the rate of the last events over that of the first, with an outage between."""
    arena.fill(2 * sizes.events)
    events = arena.on(TOPIC)
    async with arena.database() as database:
        child = arena.match(database)
        probe = Probe(database.dsn)
        first = await reach([child], probe, 1)
        began = time.perf_counter()
        before = await reach([child], probe, int(BEFORE * events))
        steady = (before - first) / (time.perf_counter() - began)
        came_back = await _away(arena.stack, database)
        first_again = await reach([child], probe, before + 1)
        waited = time.perf_counter() - came_back
        began = time.perf_counter()
        last = await reach([child], probe, events)
        after = (last - first_again) / (time.perf_counter() - began)
        await check_books(database, events)
    return {
        "catch_up": round(after / steady, 3), "catch_up_steady_per_s": round(steady),
        "catch_up_after_per_s": round(after), "catch_up_waited_s": round(waited, 2), "catch_up_away_s": AWAY_S,
    }  # fmt: skip


async def _away(stack: Stack, database: Database) -> float:
    """PostgreSQL stops at once and comes back; returns when it answered again."""
    await asyncio.to_thread(stack.postgres.stop)
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(stack.postgres.start)
    await database.pool.expire_connections()
    return time.perf_counter()
