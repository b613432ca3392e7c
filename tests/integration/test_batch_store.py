"""The writer of batches on PostgreSQL: a small batch in one statement leaves what a large one leaves by COPY."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from schemas.errors import Fenced, RowRefused, StoreUnavailable
from schemas.topics import SYSLOG
from streams.adapters import batches
from streams.adapters.batch_statements import SMALL, is_small
from streams.adapters.batches import PostgresBatchStore, refused_offset
from streams.adapters.database import create_pool
from streams.core.progress import Progress
from streams.core.work import Decided
from tests.contracts.batch_store import TEXTS, Batches, BatchStoreContract, batch, said
from tests.integration.conftest import Database

TABLES = {
    "audit": '"offset"',
    "alerts": '"offset"',
    "ledger": "first_offset",
    "sli": "component, minute",
    "unhandled_signatures": "signature",
    "partition_progress": "next_offset",
}
OF_THE_PARTITION = {"partition", "id", "alert_id", "payload", "signature", "created_at", "updated_at", "correlation_id"}
"""Differ from partition to partition, or from moment to moment."""


class InPostgres:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.store = PostgresBatchStore(pool)

    async def audited(self) -> list[int]:
        rows = await self._pool.fetch('SELECT "offset" FROM audit WHERE partition = 0 ORDER BY "offset"')
        return [row["offset"] for row in rows]

    async def alerts(self) -> set[uuid.UUID]:
        return {row["id"] for row in await self._pool.fetch("SELECT id FROM alerts")}

    def spoil(self, decided: Decided, at: int) -> None:
        """A NUL in the host's name."""
        row = decided.audit[at]
        decided.audit[at] = (*row[:5], "h" * 20 + "\0", *row[6:])


class TestPostgresBatchStore(BatchStoreContract):
    @pytest.fixture(params=["in one statement", "by parts"])
    def batches(self, request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch) -> Batches:
        if request.param == "by parts":
            monkeypatch.setattr(batches, "is_small", lambda _: False)
        return InPostgres(database.pool)


async def begun(store: PostgresBatchStore, partition: int) -> Progress:
    await store.begin(SYSLOG.name, partition, 0)
    progress = await store.progress(SYSLOG.name, partition)
    assert progress is not None
    return progress


async def left(pool: asyncpg.Pool, partition: int) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold of a partition."""
    found = {}
    for table, order in TABLES.items():
        rows = await pool.fetch(f"SELECT * FROM {table} WHERE partition = $1 ORDER BY {order}", partition)
        found[table] = [{name: row[name] for name in set(row.keys()) - OF_THE_PARTITION} for row in rows]
    return found


async def test_one_statement_leaves_what_copy_leaves(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PostgresBatchStore(database.pool)
    for partition, small in ((0, True), (1, False)):
        monkeypatch.setattr(batches, "is_small", is_small if small else lambda _: False)
        progress = await begun(store, partition)
        for first in (0, len(TEXTS)):
            decided = batch(partition, first=first)
            assert is_small(decided)
            progress = await store.commit(decided, progress)
            assert progress == await store.progress(SYSLOG.name, partition)
    at_once, by_parts = await left(database.pool, 0), await left(database.pool, 1)
    assert at_once == by_parts
    assert [len(at_once[table]) for table in ("audit", "alerts", "ledger")] == [8, 4, 1]


async def test_a_worker_that_froze_within_copy_is_ended_by_its_successor(database: Database) -> None:
    """Chaos, seed 2026: its session was never idle, and the successor waited for the partition's row for 90 s."""
    pool = await create_pool(database.settings, database.secrets, size=4)
    store = PostgresBatchStore(pool, frozen_s=0.5)
    progress, decided, copying = await begun(store, 0), batch(0), asyncio.Event()

    async def rows() -> AsyncIterator[tuple[Any, ...]]:
        copying.set()
        await asyncio.Event().wait()
        yield ()

    async def freeze() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE partition_progress SET updated_at = now()")
            await connection.copy_records_to_table("audit", records=rows(), columns=("topic",), timeout=600)

    frozen = asyncio.create_task(freeze())
    await copying.wait()
    with pytest.raises(StoreUnavailable):
        await store.commit(decided, progress)
    await store.commit(decided, progress)
    frozen.cancel()
    await asyncio.wait([frozen])
    pool.terminate()


async def test_a_moved_partition_fences_the_one_statement_too(database: Database) -> None:
    store = PostgresBatchStore(database.pool)
    progress = await begun(store, 0)
    await store.commit(batch(0), progress)
    before = await left(database.pool, 0)
    with pytest.raises(Fenced):
        await store.commit(batch(0), progress)
    assert await left(database.pool, 0) == before


async def test_a_refused_row_of_a_small_batch_is_named_and_nothing_is_written(database: Database) -> None:
    store = PostgresBatchStore(database.pool)
    progress = await begun(store, 0)
    decided = batch(0)
    InPostgres(database.pool).spoil(decided, 1)
    assert is_small(decided)
    with pytest.raises(RowRefused) as refused:
        await store.commit(decided, progress)
    assert refused_offset(decided, refused.value) == 1
    assert await store.progress(SYSLOG.name, 0) == progress


async def test_a_row_that_the_driver_cannot_write_is_found_by_bisection(database: Database) -> None:
    """Unlike the server it says of no row that it was this one."""
    store = PostgresBatchStore(database.pool)
    progress = await begun(store, 0)
    for at in range(len(batch(0).audit)):
        decided = batch(0)
        row = decided.audit[at]
        decided.audit[at] = (*row[:5], "\ud800", *row[6:])
        with pytest.raises(RowRefused, match="surrogates") as refused:
            await store.commit(decided, progress)
        assert refused_offset(decided, refused.value) == row[2]
    assert await store.progress(SYSLOG.name, 0) == progress
    written = await left(database.pool, 0)
    assert [table for table, rows in written.items() if rows] == ["partition_progress"]


def test_what_is_large_or_has_letters_goes_by_parts() -> None:
    assert is_small(batch(0, *[said("config saved")] * SMALL))
    assert not is_small(batch(0, *[said("config saved")] * (SMALL + 1)))
    assert not is_small(batch(0, b"{"))
