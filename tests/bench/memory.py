"""How much memory a worker holds while a million records wait for it."""

from __future__ import annotations

from tests.bench.arena import Arena
from tests.bench.race import peak_rss_mib, watch


async def rss_mib(arena: Arena, lag: int) -> float:
    """The worker's peak resident memory in MiB, from its start with `lag` records behind to the last of them."""
    arena.fill(lag)
    database = await arena.fresh()
    child = arena.stack.start_worker("match-1", database_url=database.settings.database_url)
    try:
        await watch(child, database.pool, lag)
        return peak_rss_mib(child.pid)
    finally:
        arena.clear()
        database.pool.terminate()
