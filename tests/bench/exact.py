"""Whether a run was right: a fast wrong answer is no answer."""

from __future__ import annotations

from tests.bench.arena import Arena
from tests.integration.conftest import Database
from tests.integration.pipeline import until


async def check_books(arena: Arena, database: Database, *, every_event_audited: bool) -> None:
    """Rows and alerts are exact. AssertionError with both sides otherwise."""
    pool = database.pool

    async def published() -> bool:
        return not await pool.fetchval("SELECT EXISTS (SELECT FROM alerts WHERE published_at IS NULL)")

    await until(published, "every alert is on its topic")
    total = "alerted + logged + ignored + unhandled + shed + rejected"
    ledger = await pool.fetchrow(
        f"SELECT sum({total}) AS events, sum(audited) AS audited, sum(alerts) AS alerts FROM ledger"
    )
    audited, distinct = await pool.fetchrow('SELECT count(*), count(DISTINCT (partition, "offset")) FROM audit')
    alerts = await pool.fetchval("SELECT count(*) FROM alerts")
    explained = await pool.fetchval("SELECT count(*) FROM alerts JOIN audit ON audit.alert_id = alerts.id")
    assert ledger["events"] == arena.count, (dict(ledger), arena.count)
    assert audited == distinct == ledger["audited"], (audited, distinct, dict(ledger))
    assert alerts == explained == ledger["alerts"], (alerts, explained, dict(ledger))
    assert not every_event_audited or audited == arena.count, (audited, arena.count)
    assert alerts, "no alert at all: the workload is wrong"
