"""Deliveries in PostgreSQL: the store's contract, what its rows say, and configuration that changes under a worker."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid

import asyncpg
import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.alerts import Alert, AlertState
from schemas.dead_letters import Reason
from schemas.errors import StoreUnavailable
from schemas.rows import ALERTS
from streams.adapters.config_watcher import ConfigWatcher
from streams.adapters.database import connect
from streams.adapters.deliveries import PostgresDeliveries
from streams.core.alerting import alert_row
from tests.builders import alert, dead_letter
from tests.contracts.deliveries import NOW, Deliveries, DeliveriesContract, died, letter_of, settlement
from tests.integration.conftest import Database


class InPostgres:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.store = PostgresDeliveries(pool)

    async def commit(self, one: Alert) -> None:
        await self.pool.copy_records_to_table("alerts", records=[alert_row(one, NOW)], columns=ALERTS)

    async def replay(self, one: Alert) -> None:
        await self.pool.execute("UPDATE alerts SET state = 'pending', settled_at = NULL WHERE id = $1", one.id)

    async def letters(self) -> set[uuid.UUID]:
        return {row["id"] for row in await self.pool.fetch("SELECT id FROM dead_letters")}

    async def posts(self) -> tuple[int, int]:
        return await self.counted("forwarder")

    async def ends(self) -> tuple[int, int]:
        return await self.counted("alert_latency")

    async def counted(self, component: str) -> tuple[int, int]:
        rows = await self.pool.fetch("SELECT good, total FROM sli WHERE component = $1", component)
        return sum(row["good"] for row in rows), sum(row["total"] for row in rows)

    async def row(self, one: Alert) -> asyncpg.Record:
        (row,) = await self.pool.fetch("SELECT * FROM alerts WHERE id = $1", one.id)
        return row


@pytest.fixture
def postgres_deliveries(database: Database) -> InPostgres:
    return InPostgres(database.pool)


class TestPostgresDeliveries(DeliveriesContract):
    @pytest.fixture
    def deliveries(self, postgres_deliveries: InPostgres) -> Deliveries:
        return postgres_deliveries


async def test_the_row_tells_status_error_and_times(postgres_deliveries: InPostgres) -> None:
    one = alert()
    await postgres_deliveries.commit(one)
    later = NOW + dt.timedelta(seconds=5)
    failed = settlement(one, state=AlertState.PENDING, good=0, status=503, error="HTTP 503: busy")
    await postgres_deliveries.store.settle([failed], [])
    row = await postgres_deliveries.row(one)
    assert (row["last_status"], row["last_error"], row["first_attempt_at"]) == (503, "HTTP 503: busy", NOW)
    assert row["settled_at"] is None
    assert await postgres_deliveries.store.pending() == 1
    await postgres_deliveries.store.settle([settlement(one, attempts=2, at=later, first_attempt_at=later)], [])
    row = await postgres_deliveries.row(one)
    assert (row["last_status"], row["last_error"]) == (200, None)
    assert (row["first_attempt_at"], row["last_attempt_at"], row["settled_at"]) == (NOW, later, later)
    assert await postgres_deliveries.store.pending() == 0


async def test_a_second_death_keeps_the_count_of_replays(postgres_deliveries: InPostgres) -> None:
    one, pool = alert(), postgres_deliveries.pool
    await postgres_deliveries.commit(one)
    first = letter_of(one)
    await postgres_deliveries.store.settle([died(one, first)], [])
    await pool.execute("UPDATE dead_letters SET replays = 2, state = 'replayed'")
    await pool.execute("UPDATE alerts SET state = 'pending'")
    second, forged = letter_of(one), dead_letter(reason=Reason.FOREIGN)
    await postgres_deliveries.store.settle([died(one, second, attempts=2, replay_of=first.id)], [forged])
    counts = {row["id"]: row["replays"] for row in await pool.fetch("SELECT id, replays FROM dead_letters")}
    assert counts == {first.id: 2, second.id: 2, forged.id: 0}


async def test_a_replay_header_that_names_another_alerts_letter_counts_for_nothing(
    postgres_deliveries: InPostgres,
) -> None:
    one, other, pool = alert(), alert(), postgres_deliveries.pool
    for each in (one, other):
        await postgres_deliveries.commit(each)
    its, mine = letter_of(other), letter_of(one)
    await postgres_deliveries.store.settle([died(other, its)], [])
    await pool.execute("UPDATE dead_letters SET replays = 3")
    await postgres_deliveries.store.settle([died(one, mine, replay_of=its.id)], [])
    assert await pool.fetchval("SELECT replays FROM dead_letters WHERE id = $1", mine.id) == 0


async def test_hostile_text_is_stored(postgres_deliveries: InPostgres) -> None:
    one = alert(description="a\0b \ud83d\udca5 ↓", hostname="h\u2028x")
    one = replace(one, description=one.description.encode("utf-8", "replace").decode())
    row = alert_row(one, NOW)
    await postgres_deliveries.pool.copy_records_to_table("alerts", records=[row], columns=ALERTS)
    letter = replace(letter_of(one), value=row[-1].encode(), headers=((b"\xff", None), (b"a", b"\0")), detail="a\0b")
    await postgres_deliveries.store.settle([died(one, letter)], [])
    (stored,) = await postgres_deliveries.pool.fetch("SELECT * FROM dead_letters WHERE id = $1", letter.id)
    assert stored["header_names"] == [b"\xff", b"a"]
    assert codec.decode_alert(stored["value"]).hostname == one.hostname


async def test_a_database_that_is_away_is_said_so(database: Database) -> None:
    database.pool.terminate()
    store = PostgresDeliveries(database.pool)
    with pytest.raises(StoreUnavailable):
        await store.load([uuid.uuid4()])
    with pytest.raises(StoreUnavailable):
        await store.settle([settlement(alert())], [])


async def test_a_changed_configuration_is_in_force_within_a_second(database: Database) -> None:
    watcher = ConfigWatcher(database.pool, lambda: connect(database.settings, database.secrets))
    following = asyncio.ensure_future(watcher.run())
    assert (await watcher.first()).moog_rate_limit == 50
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        while watcher.current.moog_rate_limit != 7:
            await database.pool.execute(
                "INSERT INTO dynamic_config VALUES ('moog_rate_limit', '7'), ('moog_rate_period', 'rubbish')"
                " ON CONFLICT (key) DO NOTHING"
            )
            await asyncio.sleep(0.05)
    assert watcher.current.moog_rate_period == 1
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
