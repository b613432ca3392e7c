"""Who runs: the raw COPY that bounds them all, mutt's worker, and the loop an afternoon gives."""

from __future__ import annotations

import sys
import time
from typing import Any

from ops.devstack.processes import Child
from schemas.rows import AUDIT
from tests.bench.arena import TOPIC, Arena, audit_rows
from tests.bench.exact import check_books
from tests.bench.race import Race, watch
from tests.integration.conftest import Database


async def mutt(arena: Arena, **config: object) -> tuple[Race, list[tuple[Any, ...]]]:
    """One match worker; also the audit rows it wrote. Its books must balance."""
    database = await arena.fresh(**config)
    child = arena.stack.start_worker("match-1", database_url=database.settings.database_url)
    try:
        race = await watch(child, database.pool, arena.count)
        await check_books(arena, database, every_event_audited=bool(config.get("audit_unhandled_events")))
        return race, await audit_rows(database.pool)
    finally:
        await _end(arena, database, child)


async def afternoon(arena: Arena) -> Race:
    """The hand-written rival, in a process of its own."""
    database = await arena.fresh()
    argv = [sys.executable, "-m", "tests.bench.rivals.afternoon", arena.bootstrap, TOPIC, arena.rules_file]
    child = arena.stack.spawn("afternoon", [*argv, database.dsn])
    try:
        race = await watch(child, database.pool, arena.count)
        audited = await database.pool.fetchval("SELECT count(*) FROM audit")
        assert audited == arena.count, f"the rival audited {audited} of {arena.count} events"
        return race
    finally:
        await _end(arena, database, child)


async def raw_copy(arena: Arena, rows: list[tuple[Any, ...]]) -> float:
    """The same rows into the same table by one COPY on one connection: rows a second."""
    database = await arena.fresh()
    try:
        async with database.pool.acquire() as connection:
            began = time.perf_counter()
            await connection.copy_records_to_table("audit", records=rows, columns=AUDIT, timeout=300)
            return len(rows) / (time.perf_counter() - began)
    finally:
        database.pool.terminate()


async def _end(arena: Arena, database: Database, child: Child) -> None:
    child.stop()
    arena.clear()
    database.pool.terminate()
