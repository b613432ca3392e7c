"""What is paused, why and since when, in PostgreSQL: told by workers, read by operators."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from schemas.config import DynamicConfig
from schemas.config_values import tolerant_snapshot
from streams.adapters.backlog import PostgresBacklog
from streams.adapters.faults import store_faults
from streams.core.pausing import Pause

_SHOW = """
WITH told AS (
    SELECT * FROM unnest($2::text[], $3::integer[], $4::text[], $5::timestamptz[])
        AS t(topic, partition, reason, since)),
gone AS (
    DELETE FROM partition_pauses p
     WHERE (p.worker = $1 OR p.seen_at < now() - interval '1 hour')
       AND NOT EXISTS (SELECT FROM told t
                        WHERE (t.topic, t.partition, t.reason) = (p.topic, p.partition, p.reason)))
INSERT INTO partition_pauses (topic, partition, reason, worker, since, seen_at)
SELECT topic, partition, reason, $1, since, now() FROM told
ON CONFLICT (topic, partition, reason)
DO UPDATE SET worker = excluded.worker, since = excluded.since, seen_at = excluded.seen_at
"""

# A worker heartbeats every 5 s; the halt of an ingest partition is durable and stands in partition_progress, whether a
# worker runs or not.
_READ = """
SELECT topic, partition, reason, since, worker, NULL AS detail FROM partition_pauses p
 WHERE seen_at > now() - interval '15 seconds'
   AND NOT (reason = 'halted'
            AND EXISTS (SELECT FROM partition_progress g WHERE (g.topic, g.partition) = (p.topic, p.partition)))
UNION ALL
SELECT topic, partition, 'halted', halted_at, NULL, halted_reason FROM partition_progress WHERE halted_at IS NOT NULL
 ORDER BY topic, partition, reason
"""

_LAST_WORD = """
SELECT changed_by, changed_at, reason FROM config_audit
 WHERE table_name = 'dynamic_config' AND object = 'ingest_paused' ORDER BY id DESC LIMIT 1
"""


class PostgresPauseBoard:
    """Implements the PauseBoard port for this process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

    async def show(self, pauses: Sequence[Pause]) -> None:
        with store_faults():
            await self._pool.execute(
                _SHOW,
                self._worker,
                [pause.topic for pause in pauses],
                [pause.partition for pause in pauses],
                [pause.reason.value for pause in pauses],
                [pause.since for pause in pauses],
            )


class ShownPause(Struct, frozen=True):
    """A pause as it was told; the halt of an ingest partition has no worker but a detail."""

    topic: str
    partition: int
    reason: str
    since: dt.datetime
    worker: str | None
    detail: str | None


class OperatorPause(Struct, frozen=True):
    """Who changed `ingest_paused` last, and why; empty where nobody ever did."""

    paused: bool
    by: str | None = None
    since: dt.datetime | None = None
    why: str | None = None


class PauseState(Struct, frozen=True):
    """Everything `mutt pauses` shows."""

    operator: OperatorPause
    backlog: int
    """Alerts that wait, counted no further than the hard limit."""
    config: DynamicConfig
    pauses: list[ShownPause]


async def read_pauses(pool: asyncpg.Pool) -> PauseState:
    """What is paused now. Raises StoreUnavailable."""
    with store_faults():
        stored = await pool.fetch("SELECT key, value FROM dynamic_config")
        last = await pool.fetchrow(_LAST_WORD)
        rows = await pool.fetch(_READ)
    config, _ = tolerant_snapshot({row["key"]: row["value"] for row in stored})
    backlog = await PostgresBacklog(pool).pending(config.alerter_queue_hard_limit + 1)
    operator = OperatorPause(config.ingest_paused)
    if last is not None:
        operator = OperatorPause(config.ingest_paused, last["changed_by"], last["changed_at"], last["reason"])
    return PauseState(operator, backlog, config, [ShownPause(*row) for row in rows])
