"""How much memory a worker holds: with nothing to do, and while a million records wait for it."""

from __future__ import annotations

from tests.bench.arena import TOPIC, Arena
from tests.bench.exact import check_books
from tests.bench.race import Course, peak_rss_mib, reach, rss_mib, watch
from tests.bench.report import Figures
from tests.bench.sizes import Sizes
from tests.bench.workload import MANY_RULES, mixed
from tests.integration.pipeline import gauge, until


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """MiB at rest with 1,000 rules, and the peak over a backlog of `sizes.lag` records with 10,000."""
    idle = await _idle(arena)
    arena.fill(sizes.lag)
    async with arena.database(rules=mixed(MANY_RULES)) as database:
        child = arena.match(database)
        await watch(child, Course(database.pool, TOPIC, sizes.lag))
        await check_books(database, sizes.lag)
        return {"rss_mib_idle": round(idle, 1), "rss_mib_lag": round(peak_rss_mib(child.pid), 1), "lag": sizes.lag}


async def _idle(arena: Arena) -> float:
    """Once a few events went through it, as any worker's do."""
    arena.fill(1_000)
    async with arena.database() as database:
        port = arena.free_port()
        child = arena.match(database, match_port=port)
        await reach([child], Course(database.pool, TOPIC, 1_000), 1_000)

        async def at_rest() -> bool:
            return gauge(port, "mutt_records_held") == 0

        await until(at_rest, "nothing is in hand")
        return rss_mib(child.pid)
