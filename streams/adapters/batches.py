"""One batch, one transaction, in PostgreSQL (docs/adr/0003)."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from schemas.dead_letters import LetterState
from schemas.errors import Fenced, RowRefused
from schemas.events import Disposition
from schemas.rows import ALERTS, AUDIT, DEAD_LETTERS, Row, letter_row
from streams import crash
from streams.adapters.faults import store_faults
from streams.adapters.letter_log import COME_BACK
from streams.core.letters import named_letter
from streams.core.progress import LedgerRow, Progress
from streams.core.signatures import Seen
from streams.core.work import Decided

_BOOKS = """
WITH advanced AS (
    UPDATE partition_progress SET next_offset = $5, updated_at = now()
     WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4 AND halted_at IS NULL
    RETURNING next_offset),
extended AS (
    UPDATE ledger SET next_offset = $5, alerted = alerted + $8, logged = logged + $9, ignored = ignored + $10,
           unhandled = unhandled + $11, shed = shed + $12, rejected = rejected + $13, missing = missing + $14,
           audited = audited + $15, alerts = alerts + $16, last_sha256 = $17, updated_at = now()
     WHERE topic = $1 AND partition = $2 AND epoch = $3 AND first_offset = $20 AND next_offset = $4
       AND EXISTS (SELECT FROM advanced)
    RETURNING first_offset),
inserted AS (
    INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version, ruleset_digest,
                        alerted, logged, ignored, unhandled, shed, rejected, missing, audited, alerts, last_sha256)
    SELECT $1, $2, $3, $4, $5, $6, $7, $21, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
     WHERE EXISTS (SELECT FROM advanced) AND NOT EXISTS (SELECT FROM extended)
    RETURNING first_offset),
counted AS (
    INSERT INTO sli (component, topic, partition, minute, good, total)
    SELECT component, $1, $2, $6, good, total
      FROM (VALUES ('ingestor', $18, $19), ('audit', $5 - $4 - $14, $5 - $4)) AS counts (component, good, total)
     WHERE EXISTS (SELECT FROM advanced)
    ON CONFLICT (component, topic, partition, minute)
    DO UPDATE SET good = sli.good + excluded.good, total = sli.total + excluded.total)
SELECT first_offset FROM extended UNION ALL SELECT first_offset FROM inserted
"""
"""The compare-and-set on the partition's progress, and all that is counted, in one statement: one round trip. Without
the first, nothing else is written and no row comes back."""

_SIGNATURES = """
INSERT INTO unhandled_signatures
       (topic, partition, signature, hostname, template, sample, count, window_started, last_seen, alerted)
SELECT $1, $2, * FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[],
                             $9::timestamptz[], $10::boolean[])
ON CONFLICT (topic, partition, signature) DO UPDATE
   SET count = excluded.count, window_started = excluded.window_started, last_seen = excluded.last_seen,
       alerted = excluded.alerted
"""

_PROGRESS = """
SELECT p.next_offset, p.epoch, p.halted_reason, l.last_sha256, l.first_offset, l.minute, l.ruleset_version
  FROM partition_progress p
  LEFT JOIN LATERAL (
       SELECT * FROM ledger l WHERE l.topic = p.topic AND l.partition = p.partition AND l.epoch = p.epoch
        ORDER BY l.first_offset DESC LIMIT 1) l ON true
 WHERE p.topic = $1 AND p.partition = $2
"""


_COPIED = {"audit": "audit_copied", "alerts": "alerts_copied", "dead_letters": "letters_copied"}


class PostgresBatchStore:
    """Implements the BatchStore port on a pool of connections."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def progress(self, topic: str, partition: int) -> Progress | None:
        with store_faults():
            row = await self._pool.fetchrow(_PROGRESS, topic, partition)
        if row is None:
            return None
        last_row = None
        if row["first_offset"] is not None:
            last_row = LedgerRow(row["first_offset"], row["minute"], row["ruleset_version"])
        return Progress(
            next_offset=row["next_offset"],
            epoch=row["epoch"],
            halted=row["halted_reason"],
            last_sha256=row["last_sha256"],
            last_row=last_row,
        )

    async def begin(self, topic: str, partition: int, offset: int) -> None:
        with store_faults():
            await self._pool.execute(
                "INSERT INTO partition_progress (topic, partition, next_offset) VALUES ($1, $2, $3)"
                " ON CONFLICT (topic, partition) DO NOTHING",
                topic,
                partition,
                offset,
            )

    async def halt(self, topic: str, partition: int, reason: str) -> None:
        with store_faults():
            await self._pool.execute(
                "UPDATE partition_progress SET halted_at = coalesce(halted_at, now()), halted_reason = $3"
                " WHERE topic = $1 AND partition = $2",
                topic,
                partition,
                reason,
            )

    async def signatures(self, topic: str, partition: int, limit: int) -> Mapping[int, Seen]:
        with store_faults():
            rows = await self._pool.fetch(
                "SELECT * FROM unhandled_signatures WHERE topic = $1 AND partition = $2"
                " ORDER BY last_seen DESC LIMIT $3",
                topic,
                partition,
                limit,
            )
        return {row["signature"]: _seen(row) for row in reversed(rows)}

    async def replay_states(self, letters: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, LetterState]:
        with store_faults():
            rows = await self._pool.fetch("SELECT id, state FROM dead_letters WHERE id = ANY($1)", letters)
        return {row["id"]: LetterState(row["state"]) for row in rows}

    async def commit(self, decided: Decided, progress: Progress) -> Progress:
        try:
            with store_faults():
                async with self._pool.acquire() as connection, connection.transaction():
                    return await _write(connection, decided, progress)
        except RowRefused as refused:
            if refused.line is not None:
                raise
            raise await self._search(decided, refused) from refused

    async def _search(self, decided: Decided, refused: RowRefused) -> RowRefused:
        """Finds the refused row by bisection, in transactions that are rolled back."""
        rows, columns = _copies(decided)[refused.table]
        low, high = 0, len(rows)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (low, middle) if await self._refuses(refused.table, columns, rows[low:middle]) else (middle, high)
            )
        return RowRefused(refused.table, low + 1, refused.detail)

    async def _refuses(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> bool:
        with store_faults():
            async with self._pool.acquire() as connection:
                attempt = connection.transaction()
                await attempt.start()
                try:
                    with store_faults(table):
                        await connection.copy_records_to_table(table, records=rows, columns=columns)
                except RowRefused:
                    return True
                finally:
                    await attempt.rollback()
        return False


def refused_offset(decided: Decided, refused: RowRefused) -> int:
    """The offset of the record behind a refused row. `refused.line` must be known."""
    assert refused.line is not None
    rows, columns = _copies(decided)[refused.table]
    return int(rows[refused.line - 1][list(columns).index("offset")])


def _copies(decided: Decided) -> dict[str, tuple[list[Row], Sequence[str]]]:
    return {
        "audit": (decided.audit, AUDIT),
        "alerts": (decided.alert_rows, ALERTS),
        "dead_letters": ([letter_row(letter) for letter in decided.letters], DEAD_LETTERS),
    }


async def _write(connection: Any, decided: Decided, progress: Progress) -> Progress:
    """The statements of the transaction, in their order: the compare-and-set first, so that a zombie writes nothing."""
    work = decided.work
    minute = work.now.replace(second=0, microsecond=0)
    crash.here("transaction_open")
    first_offset = await _keep_books(connection, decided, progress, minute)
    if first_offset is None:
        raise Fenced(f"{work.topic.name}:{work.partition} does not stand at {work.first} any more")
    crash.here("books_written")
    for table, (rows, columns) in _copies(decided).items():
        if rows:
            with store_faults(table):
                await connection.copy_records_to_table(table, records=rows, columns=columns)
        crash.here(_COPIED[table])
    await _keep_signatures(connection, decided)
    crash.here("signatures_kept")
    await _end_replays(connection, decided)
    crash.here("written")
    return Progress(
        next_offset=work.after,
        epoch=progress.epoch,
        last_sha256=decided.last_sha256,
        last_row=LedgerRow(first_offset, minute, work.knowledge.rule_set.version),
    )


async def _end_replays(connection: Any, decided: Decided) -> None:
    """Letters whose replay was judged are done; one that failed again knows where it came from, and how often."""
    if not decided.replayed:
        return
    await connection.execute(
        "UPDATE dead_letters SET state = 'replayed', replayed_at = now() WHERE id = ANY($1) AND state = 'replaying'",
        decided.replayed,
    )
    judged = set(decided.replayed)
    again = [(letter.id, named) for letter in decided.letters if (named := named_letter(letter.headers)) in judged]
    if again:
        await connection.execute(COME_BACK, [new for new, _ in again], [old for _, old in again])


async def _keep_books(connection: Any, decided: Decided, progress: Progress, minute: dt.datetime) -> int | None:
    """Progress, ledger and SLI; the first offset of the ledger row written to, None where the partition moved."""
    work, rules, counts = decided.work, decided.work.knowledge.rule_set, decided.counts
    good = decided.good
    first_offset: int | None = await connection.fetchval(
        _BOOKS,
        work.topic.name,
        work.partition,
        progress.epoch,
        work.first,
        work.after,
        minute,
        rules.version,
        *(counts[name] for name in Disposition),
        decided.missing,
        len(decided.audit),
        len(decided.alerts),
        decided.last_sha256,
        good,
        good + decided.our_failures,
        progress.extends(minute, rules.version),
        rules.digest,
    )
    return first_offset


async def _keep_signatures(connection: Any, decided: Decided) -> None:
    at = (decided.work.topic.name, decided.work.partition)
    if gone := decided.signatures.deletions():
        await connection.execute(
            "DELETE FROM unhandled_signatures WHERE topic = $1 AND partition = $2 AND signature = ANY($3)", *at, gone
        )
    if rows := decided.signatures.rows():
        seen = rows.values()
        await connection.execute(
            _SIGNATURES, *at, list(rows), [s.hostname for s in seen], [s.template for s in seen],
            [s.sample for s in seen], [s.count for s in seen], [_time(s.started) for s in seen],
            [_time(s.last) for s in seen], [s.alerted for s in seen],
        )  # fmt: skip


def _time(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)


def _seen(row: Any) -> Seen:
    return Seen(
        hostname=row["hostname"],
        template=row["template"],
        sample=row["sample"],
        count=row["count"],
        started=round(row["window_started"].timestamp() * 1000),
        last=round(row["last_seen"].timestamp() * 1000),
        alerted=row["alerted"],
    )
