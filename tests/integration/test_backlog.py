"""The count of waiting alerts on a real PostgreSQL: the contract, and the plan however stale the statistics are."""

from __future__ import annotations

import json

import pytest

from streams.adapters import backlog
from streams.adapters.backlog import PostgresBacklog
from streams.core.ports import BacklogReader
from tests.contracts.backlog import BacklogContract, Waiting
from tests.integration.conftest import Database

_ADD = """
INSERT INTO alerts (id, kind, topic, partition, "offset", broker_time, hostname, severity, team, handling, payload,
                    state)
SELECT gen_random_uuid(), 'event', 'mutt.ingest.syslog', 0, n, now(), 'h1', 3, 'netops', 'Page_only', '{}', $2
  FROM generate_series(1, $1) n
"""


class StoredAlerts:
    def __init__(self, database: Database) -> None:
        self._pool = database.pool
        self.reader: BacklogReader = PostgresBacklog(database.pool)

    async def add(self, pending: int, delivered: int = 0) -> None:
        await self._pool.execute(_ADD, pending, "pending")
        await self._pool.execute(_ADD, delivered, "delivered")


class TestPostgresBacklog(BacklogContract):
    @pytest.fixture
    def waiting(self, database: Database) -> Waiting:
        return StoredAlerts(database)


async def test_the_partial_index_is_used_before_and_after_an_outage(database: Database) -> None:
    """Statistics from an outage, when most alerts waited, must not make a quiet table be read as a whole."""
    alerts = StoredAlerts(database)
    await alerts.add(pending=20_000, delivered=20_000)
    await database.pool.execute("ANALYZE alerts")
    assert await _index_of_plan(database) == "alerts_pending"
    await database.pool.execute("UPDATE alerts SET state = 'delivered' WHERE state = 'pending' AND \"offset\" > 10")
    assert await _index_of_plan(database) == "alerts_pending"
    assert await alerts.reader.pending(10**8) == 10


async def _index_of_plan(database: Database) -> str:
    plan = json.loads(await database.pool.fetchval(f"EXPLAIN (FORMAT JSON) {backlog._COUNT}", 20_001))
    node = plan[0]["Plan"]
    while "Plans" in node:
        node = node["Plans"][0]
    return str(node.get("Index Name"))
