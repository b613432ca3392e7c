"""The ledger's tables: what was done with every offset, for people who check the books."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from schemas.events import Disposition
from schemas.topics import INGEST
from streams.adapters.ledger_places import BY_LETTER, EPOCHS, LETTER_OFFSETS, epochs_of, located
from streams.adapters.selects import Select
from streams.adapters.transactions import Transactions
from streams.core.books import Fault, LedgerRange, Standing
from streams.core.paging import Page, Place, Sort

CHECK_TIMEOUT_S = 600.0
"""Bound on one statement of the check: it reads the whole audit index."""

_SUMS = ", ".join(f"coalesce(sum(l.{name}), 0)::bigint AS {name}" for name in (*Disposition, "missing"))
_SHOW = f"""
SELECT p.topic, p.partition, p.epoch, p.next_offset, p.halted_at, p.halted_reason, p.updated_at,
       count(l.first_offset) AS ledger_rows, min(l.first_offset) AS first_offset, max(l.minute) AS last_minute,
       coalesce(sum(l.audited), 0)::bigint AS audited, coalesce(sum(l.alerts), 0)::bigint AS alerts, {_SUMS}
  FROM partition_progress p LEFT JOIN ledger l USING (topic, partition, epoch)
 GROUP BY p.topic, p.partition ORDER BY p.topic, p.partition
"""  # noqa: S608 - constants

_RANGES = f"""
WITH {EPOCHS},
letters AS ({located("dead_letters", LETTER_OFFSETS, BY_LETTER)}),
raised AS ({located("alerts", "1", "x.topic = ANY($6)")}),
letter_counts AS (
    SELECT topic, partition, epoch, first_offset, sum(weight)::bigint AS n FROM letters GROUP BY 1, 2, 3, 4),
alert_counts AS (
    SELECT topic, partition, epoch, first_offset, count(*) AS n FROM raised GROUP BY 1, 2, 3, 4)
SELECT l.*, coalesce(c.n, 0) AS letter_offsets, coalesce(r.n, 0) AS alert_rows,
       (SELECT count(*) FROM audit a
         WHERE a.topic = l.topic AND a.partition = l.partition
           AND a."offset" >= l.first_offset AND a."offset" < l.next_offset
           AND a.broker_time >= coalesce(e.since, '-infinity') AND a.broker_time < coalesce(e.until, 'infinity')
       ) AS audit_rows
  FROM ledger l JOIN epochs e USING (topic, partition, epoch)
  LEFT JOIN letter_counts c USING (topic, partition, epoch, first_offset)
  LEFT JOIN alert_counts r USING (topic, partition, epoch, first_offset)
 ORDER BY l.topic, l.partition, l.epoch, l.first_offset
"""  # noqa: S608 - constants

_ORPHANS = f"""
WITH {EPOCHS}, found AS (
    SELECT 'dead letter' AS what, topic, partition, "offset" FROM ({located("dead_letters", "1", BY_LETTER)}) d
     WHERE first_offset IS NULL
    UNION ALL
    SELECT 'alert', topic, partition, "offset" FROM ({located("alerts", "1", "x.topic = ANY($6)")}) r
     WHERE first_offset IS NULL
    UNION ALL
    SELECT 'audit row', topic, partition, "offset" FROM ({located("audit", "1", "x.topic = ANY($6)")}) a
     WHERE first_offset IS NULL)
SELECT what, topic, partition, min("offset") AS low, max("offset") AS high, count(*) AS n
  FROM found GROUP BY what, topic, partition ORDER BY topic, partition, what
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class PartitionBooks:
    """What the ledger says of one partition in its current epoch."""

    topic: str
    partition: int
    epoch: int
    next_offset: int
    first_offset: int | None
    ledger_rows: int
    counts: Mapping[str, int]
    audited: int
    alerts: int
    last_minute: dt.datetime | None
    updated_at: dt.datetime
    halted_at: dt.datetime | None
    halted_reason: str | None


@dataclass(frozen=True, slots=True)
class Reset:
    """A partition's new beginning. `since` is the broker time from which records belong to the new epoch, where the
    log is another one; None where the old log goes on."""

    topic: str
    partition: int
    next_offset: int
    actor: str
    since: dt.datetime | None = None


class Ledger:
    """The books through a pool. Errors of asyncpg leave as they are."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def show(self) -> list[PartitionBooks]:
        return [_books(row) for row in await self._pool.fetch(_SHOW)]

    async def read(self) -> tuple[list[LedgerRange], list[Standing], list[Fault]]:
        """Every ledger row with what the tables hold of it, where partitions stand, and rows that no range covers.

        One snapshot, so that it may be read while workers run.
        """
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(f"SET LOCAL statement_timeout = {int(CHECK_TIMEOUT_S * 1000)}")
            epochs = await epochs_of(connection)
            topics = [topic.name for topic in INGEST]
            ranges = await connection.fetch(_RANGES, *epochs, topics, timeout=CHECK_TIMEOUT_S)
            orphans = await connection.fetch(_ORPHANS, *epochs, topics, timeout=CHECK_TIMEOUT_S)
            standings = await connection.fetch("SELECT * FROM partition_progress ORDER BY topic, partition")
        return (
            [_range(row) for row in ranges],
            [
                Standing(row["topic"], row["partition"], row["epoch"], row["next_offset"], row["halted_reason"])
                for row in standings
            ],
            [_orphan(row) for row in orphans],
        )

    async def partition(self, topic: str, partition: int) -> Standing | None:
        row = await self._pool.fetchrow(
            "SELECT * FROM partition_progress WHERE topic = $1 AND partition = $2", topic, partition
        )
        if row is None:
            return None
        return Standing(row["topic"], row["partition"], row["epoch"], row["next_offset"], row["halted_reason"])

    async def newest_from(self, topic: str, partition: int, offset: int) -> dt.datetime | None:
        """The newest broker time among the rows that records at or above this offset left; None where there is none."""
        newest: dt.datetime | None = await self._pool.fetchval(
            "SELECT max(broker_time) FROM ("
            ' SELECT broker_time FROM audit WHERE topic = $1 AND partition = $2 AND "offset" >= $3'
            ' UNION ALL SELECT broker_time FROM alerts WHERE topic = $1 AND partition = $2 AND "offset" >= $3'
            ' UNION ALL SELECT broker_time FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" >= $3'
            " AND stage <> 'deliver' AND reason <> 'foreign') rows",
            topic,
            partition,
            offset,
        )
        return newest

    async def reset(self, reset: Reset, expected: Standing) -> bool:
        """Starts a new epoch at `next_offset` and clears the halt, with its row in config_audit.

        False when the partition does not stand where `expected` says any more.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            done = await connection.fetchrow(
                "UPDATE partition_progress SET epoch = epoch + 1, next_offset = $3, halted_at = NULL,"
                " halted_reason = NULL, updated_at = now()"
                " WHERE topic = $1 AND partition = $2 AND epoch = $4 AND next_offset = $5 RETURNING epoch",
                reset.topic,
                reset.partition,
                reset.next_offset,
                expected.epoch,
                expected.next_offset,
            )
            if done is None:
                return False
            await connection.execute(
                "INSERT INTO config_audit (changed_by, operation, table_name, object, old_values, new_values)"
                " VALUES ($1, 'LEDGER_RESET', 'partition_progress', $2, $3, $4)",
                reset.actor,
                f"{reset.topic}:{reset.partition}",
                json.dumps(
                    {"epoch": expected.epoch, "next_offset": expected.next_offset, "halted_reason": expected.halted}
                ),
                json.dumps(
                    {
                        "epoch": done["epoch"],
                        "next_offset": reset.next_offset,
                        "since": reset.since.isoformat() if reset.since else None,
                    }
                ),
            )
        return True


class LedgerReads:
    """The books for the API, on transactions bounded in time. Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def show(self) -> list[PartitionBooks]:
        async with self._transactions.reading() as connection:
            return await Ledger(connection).show()

    async def rows(
        self, topic: str, partition: int, *, sort: Sort, after: Place | None, limit: int
    ) -> Page[Any] | None:
        """The rows of a partition in its current epoch; None where it was never read."""
        async with self._transactions.reading() as connection:
            standing = await Ledger(connection).partition(topic, partition)
            if standing is None:
                return None
            select = Select("*", "ledger")
            select.where("topic = {}", topic)
            select.where("partition = {}", partition)
            select.where("epoch = {}", standing.epoch)
            rows, behind = await select.page(connection, sort, "first_offset", after=after, limit=limit)
        return Page(tuple(rows), behind)


def _range(row: Any) -> LedgerRange:
    return LedgerRange(
        topic=row["topic"],
        partition=row["partition"],
        epoch=row["epoch"],
        first_offset=row["first_offset"],
        next_offset=row["next_offset"],
        minute=row["minute"],
        counts={name: row[name.value] for name in Disposition},
        missing=row["missing"],
        audited=row["audited"],
        alerts=row["alerts"],
        audit_rows=row["audit_rows"],
        alert_rows=row["alert_rows"],
        letter_offsets=row["letter_offsets"],
        archived_audit=row["archived_audit"],
        archived_alerts=row["archived_alerts"],
        archived_letters=row["archived_letters"],
    )


def _orphan(row: Any) -> Fault:
    problem = f"{row['n']} {row['what']}{'s' if row['n'] > 1 else ''} that no ledger row covers"
    return Fault(row["topic"], row["partition"], 0, row["low"], row["high"] + 1, problem)


def _books(row: Any) -> PartitionBooks:
    return PartitionBooks(
        topic=row["topic"],
        partition=row["partition"],
        epoch=row["epoch"],
        next_offset=row["next_offset"],
        first_offset=row["first_offset"],
        ledger_rows=row["ledger_rows"],
        counts={name: row[name] for name in (*(d.value for d in Disposition), "missing")},
        audited=row["audited"],
        alerts=row["alerts"],
        last_minute=row["last_minute"],
        updated_at=row["updated_at"],
        halted_at=row["halted_at"],
        halted_reason=row["halted_reason"],
    )
