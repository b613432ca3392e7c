"""Whether a run was right: a fast wrong answer is no answer."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass

from schemas.rows import EPOCH
from tests.bench.arena import Arena
from tests.integration.conftest import Database
from tests.integration.pipeline import until
from tests.integration.topics import end_offsets

_TOTAL = "alerted + logged + ignored + unhandled + shed + rejected"
_DECISIONS = "SELECT disposition, count(*) FROM audit GROUP BY 1 ORDER BY 1"
_WHOLE = """
SELECT count(*) AS rows, count(DISTINCT (partition, "offset")) AS distinct,
       (SELECT sum(reached)::bigint FROM (SELECT max("offset") + 1 AS reached FROM audit WHERE topic = $1
         GROUP BY partition) AS tops) AS reached FROM audit WHERE topic = $1
"""


@dataclass(frozen=True)
class Books:
    """What a run of mutt came to."""

    events: int
    audited: int
    alerts: int
    rejected: int


async def check_books(
    database: Database, count: int, *, every_event_audited: bool = False, since: dt.datetime = EPOCH
) -> Books:
    """Rows, alerts and ledger are exact, and everything is on its topic. AssertionError with both sides otherwise.

    Audit rows older than `since` were there before.
    """
    pool = database.pool

    async def published() -> bool:
        return not await pool.fetchval(
            "SELECT EXISTS (SELECT FROM alerts WHERE published_at IS NULL)"
            " OR EXISTS (SELECT FROM dead_letters WHERE published_at IS NULL)"
        )

    await until(published, "everything is on its topic")
    ledger = await pool.fetchrow(
        f"SELECT sum({_TOTAL}) AS events, sum(audited) AS audited, sum(alerts) AS alerts, sum(rejected) AS rejected,"
        " sum(next_offset - first_offset) AS range FROM ledger"
    )
    audited, distinct = await pool.fetchrow(
        'SELECT count(*), count(DISTINCT (topic, partition, "offset")) FROM audit WHERE broker_time >= $1', since
    )
    alerts = await pool.fetchval("SELECT count(*) FROM alerts")
    explained = await pool.fetchval("SELECT count(*) FROM alerts JOIN audit ON audit.alert_id = alerts.id")
    letters = await pool.fetchval("SELECT count(*) FROM dead_letters")
    assert ledger["events"] == ledger["range"] == count, (dict(ledger), count)
    assert audited == distinct == ledger["audited"], (audited, distinct, dict(ledger))
    assert alerts == explained == ledger["alerts"], (alerts, explained, dict(ledger))
    assert letters == ledger["rejected"], (letters, dict(ledger))
    assert not every_event_audited or audited + letters == count, (audited, letters, count)
    assert alerts or letters, "neither alerts nor dead letters: the workload is wrong"
    return Books(count, audited, alerts, letters)


async def check_rival(database: Database, topic: str) -> dict[str, int]:
    """Every event up to where the rival stands is audited once. Returns how many by decision."""
    whole = await database.pool.fetchrow(_WHOLE, topic)
    assert whole["rows"] == whole["distinct"] == whole["reached"], dict(whole)
    return {row["disposition"]: row["count"] for row in await database.pool.fetch(_DECISIONS)}


async def alerts_on_topic(arena: Arena) -> int:
    """How many records were ever put on mutt.alerts."""
    return sum((await asyncio.to_thread(end_offsets, arena.bootstrap, "mutt.alerts")).values())
