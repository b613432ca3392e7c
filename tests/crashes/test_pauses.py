"""A match worker dies while it pauses: the next one wants the same pauses at once, and no record is skipped."""

from __future__ import annotations

import asyncio

import pytest

from ops.devstack.layout import free_port
from tests.chaos.checker import anomalies
from tests.crashes.batch import Kind, Position, batch
from tests.crashes.lives import die_at
from tests.crashes.points import POINTS
from tests.crashes.transaction import Place, prepare
from tests.integration.conftest import System
from tests.integration.pipeline import configure, gauge, until

pytestmark = pytest.mark.campaign

PAUSED = 'mutt_partitions_paused{reason="operator"}'
PARTITIONS = 24


@pytest.mark.parametrize("name", ["pause_wanted", "pauses_untold", "assigned"])
async def test_56_57_58_the_wanted_pauses_are_rebuilt(system: System, name: str) -> None:
    pool, port = system.database.pool, free_port()
    await prepare(system)
    await configure(pool, "ingest_paused", "true")
    places = [await Place.of(system, batch(kind, position, run), run) for run, (kind, position) in
              enumerate(zip(Kind, Position, strict=True))]  # fmt: skip
    await die_at(system, POINTS[name])
    worker = system.start("match-1", match_port=port)

    async def all_paused() -> bool:
        return await asyncio.to_thread(gauge, port, PAUSED) == PARTITIONS

    await until(all_paused, "every partition is paused again")
    assert not await pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM partition_progress")
    await configure(pool, "ingest_paused", "false")
    for place in places:
        await until(place.done, "what waited is processed")
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    assert await anomalies(system.database.dsn, system.stack.kafka.bootstrap) == []
