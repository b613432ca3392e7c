"""`make bench ARGS="--only retention"`: how much longer a commit waits while `mutt retention run` takes old rows away.

A match worker's own commits, a small batch every 10 ms, beside two months of audit rows and alerts that are past their
time. The longest commit of a quiet time, half of it before and half after, is what the machine does by itself.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from ops.devstack.stack import Stack
from schemas.topics import SYSLOG
from streams.adapters.batches import PostgresBatchStore
from streams.core.batches import PlainRecord
from streams.core.disposition import decide
from streams.core.progress import Progress
from streams.core.retention import month_after
from streams.core.signatures import SignatureBook
from streams.core.work import Work
from tests.bench.report import say
from tests.builders import event_json
from tests.contracts.batch_store import KNOWLEDGE
from tests.integration.conftest import Database, new_database

TARGETS: dict[str, float] = {"retention_stall_ms": -100}
ROWS = 200_000
"""Audit rows of each month that goes; a fourth of them with an alert."""
MONTHS = (-6, -5)
QUIET_S = 10.0
EVERY_S = 0.01
AT_ONCE = 20
LIVE, OLD = 0, 1
"""Partitions."""

_AUDIT = """
INSERT INTO audit (topic, partition, "offset", broker_time, hostname, disposition, ruleset_version, alert_id, message,
                   raw)
SELECT $1, $2, o, $3::timestamptz + o * interval '1 second', 'h' || o % 100,
       CASE o % 4 WHEN 0 THEN 'alerted' ELSE 'logged' END, 1, CASE o % 4 WHEN 0 THEN gen_random_uuid() END,
       'message ' || o, '{}'
  FROM generate_series($4::bigint, $5::bigint - 1) AS o
"""
_ALERTS = """
INSERT INTO alerts (id, kind, topic, partition, "offset", broker_time, hostname, severity, team, handling, payload,
                    state, created_at, published_at, settled_at)
SELECT alert_id, 'event', topic, partition, "offset", broker_time, hostname, 3, 'netops', 'Page_only', '{}',
       'delivered', broker_time, broker_time, broker_time FROM audit WHERE partition = $1 AND alert_id IS NOT NULL
"""
_LEDGER = """
INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version, ruleset_digest,
                    alerted, alerts, logged, audited)
VALUES ($1, $2, 0, $3, $4, $5, 1, 'd', $6, $6, $7, $4::bigint - $3::bigint)
"""


class Live:
    """Commits of one partition, and the milliseconds that each took."""

    def __init__(self, database: Database) -> None:
        self._store = PostgresBatchStore(database.pool)
        self._progress: Progress

    async def begin(self) -> None:
        await self._store.begin(SYSLOG.name, LIVE, 0)
        progress = await self._store.progress(SYSLOG.name, LIVE)
        assert progress is not None
        self._progress = progress

    async def while_(self, other: Awaitable[Any]) -> list[float]:
        """Goes on until the other has ended."""
        task = asyncio.ensure_future(other)
        took: list[float] = []
        while not task.done():
            took.append(await self._commit())
            await asyncio.sleep(EVERY_S)
        await task
        return took

    async def _commit(self) -> float:
        now, first = dt.datetime.now(dt.UTC), self._progress.next_offset
        text = ("link down on Gi0/1", "config saved", "heartbeat", "nothing knows this")
        at = round(now.timestamp() * 1000)
        records = [
            PlainRecord(first + number, at, b"h1", event_json(message=text[number % 4]), ())
            for number in range(AT_ONCE)
        ]
        decided = decide(
            Work(
                topic=SYSLOG, partition=LIVE, first=first, after=first + AT_ONCE, records=records, knowledge=KNOWLEDGE,
                book=SignatureBook(), now=now,
            )
        )  # fmt: skip
        began = time.perf_counter()
        self._progress = await self._store.commit(decided, self._progress)
        return (time.perf_counter() - began) * 1000


async def measure(home: Path, rows: int) -> dict[str, Any]:
    """Milliseconds, on a PostgreSQL of its own."""
    stack = Stack(home)
    try:
        stack.start_postgres()
        archive = home / "archive"
        archive.mkdir(mode=0o700)
        database = await new_database(stack)
        await _fill(database, rows)
        say(f"{rows} rows a month are there")
        live = Live(database)
        await live.begin()
        quiet = await live.while_(asyncio.sleep(QUIET_S))
        began = time.monotonic()
        busy = await live.while_(_retention(stack, database, archive))
        took = time.monotonic() - began
        quiet += await live.while_(asyncio.sleep(QUIET_S))
        left = await database.pool.fetchval("SELECT count(*) FROM audit WHERE partition = $1", OLD)
        assert left == 0, f"{left} rows stayed"
        database.pool.terminate()
    finally:
        stack.stop_all()
        stack.layout.purge()
    stall = max(0.0, max(busy) - max(quiet))
    return {
        "retention_rows": rows * len(MONTHS), "retention_run_s": round(took, 1), "retention_commits": len(busy),
        "commit_p50_ms": _share(busy, 50), "commit_p99_ms": _share(busy, 99), "commit_max_ms": round(max(busy), 1),
        "quiet_p50_ms": _share(quiet, 50), "quiet_p99_ms": _share(quiet, 99), "quiet_max_ms": round(max(quiet), 1),
        "retention_stall_ms": round(stall, 1),
    }  # fmt: skip


async def _fill(database: Database, rows: int) -> None:
    today = dt.datetime.now(dt.UTC).date()
    async with database.pool.acquire() as connection:
        for number, distance in enumerate(MONTHS):
            month = month_after(today, distance)
            await connection.execute("SELECT create_audit_partition($1)", month)
            begin = dt.datetime.combine(month, dt.time(), dt.UTC) - dt.timedelta(seconds=number * rows)
            first, after = number * rows, (number + 1) * rows
            await connection.execute(_AUDIT, SYSLOG.name, OLD, begin, first, after, timeout=600)
            minute = dt.datetime.combine(month, dt.time(), dt.UTC)
            await connection.execute(_LEDGER, SYSLOG.name, OLD, first, after, minute, rows // 4, rows - rows // 4)
        await connection.execute(_ALERTS, OLD, timeout=600)
        await connection.execute(
            "INSERT INTO partition_progress (topic, partition, next_offset) VALUES ($1, $2, $3)",
            SYSLOG.name, OLD, rows * len(MONTHS),
        )  # fmt: skip
        await connection.execute("VACUUM ANALYZE audit, alerts", timeout=600)


async def _retention(stack: Stack, database: Database, folder: Path) -> None:
    environment = stack.environment(database_url=database.settings.database_url, archive_dir=str(folder))
    run = await asyncio.create_subprocess_exec(
        *stack.mutt("retention", "run", "--json"), env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await run.communicate()
    assert run.returncode == 0, out
    say(f"{json.loads(out)['rows']} rows are in archives")


def _share(found: list[float], percent: int) -> float:
    return round(sorted(found)[len(found) * percent // 100], 1)
