"""One batch, one transaction, in PostgreSQL (docs/adr/0003)."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from schemas.dead_letters import LetterState
from schemas.errors import Fenced, RowRefused, StoreUnavailable
from schemas.rows import ALERTS, AUDIT, DEAD_LETTERS, Row, letter_row
from streams import crash
from streams.adapters.batch_statements import BOOKS, SIGNATURES, WHOLE, books, is_small, signatures, whole
from streams.adapters.database import STANDSTILL_S
from streams.adapters.faults import store_faults
from streams.adapters.letter_log import COME_BACK
from streams.core.letters import named_letter
from streams.core.progress import LedgerRow, Progress
from streams.core.signatures import Seen
from streams.core.work import Decided

log = structlog.get_logger()

_PROGRESS = """
SELECT p.next_offset, p.epoch, p.halted_reason, l.last_sha256, l.first_offset, l.minute, l.ruleset_version
  FROM partition_progress p
  LEFT JOIN LATERAL (
       SELECT * FROM ledger l WHERE l.topic = p.topic AND l.partition = p.partition AND l.epoch = p.epoch
        ORDER BY l.first_offset DESC LIMIT 1) l ON true
 WHERE p.topic = $1 AND p.partition = $2
"""


_END_FROZEN = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND usename = current_user AND application_name = 'mutt' AND pid <> pg_backend_pid()
   AND state = 'active' AND wait_event = 'ClientRead' AND xact_start < now() - make_interval(secs => $1)
"""
"""Sessions of workers that froze within COPY. They are not idle, and no timeout of the server ends them while they wait
for their client: they would hold their partitions' rows for as long as it is frozen."""

_COPIED = {"audit": "audit_copied", "alerts": "alerts_copied", "dead_letters": "letters_copied"}


class PostgresBatchStore:
    """Implements the BatchStore port on a pool of connections."""

    def __init__(self, pool: asyncpg.Pool, *, frozen_s: float = 2.0 * STANDSTILL_S) -> None:
        """Who stands within COPY for `frozen_s` is taken for frozen where a commit fails."""
        self._pool = pool
        self._frozen_s = frozen_s

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
        minute = decided.work.now.replace(second=0, microsecond=0)
        try:
            first_offset = await self._write(decided, progress, minute)
        except StoreUnavailable as fault:
            if isinstance(fault.__cause__, TimeoutError):  # it may have waited for the partition's row
                await self._end_frozen()
            raise
        if first_offset is None:
            work = decided.work
            raise Fenced(f"{work.topic.name}:{work.partition} does not stand at {work.first} any more")
        return Progress(
            next_offset=decided.work.after,
            epoch=progress.epoch,
            last_sha256=decided.last_sha256,
            last_row=LedgerRow(first_offset, minute, decided.work.knowledge.rule_set.version),
        )

    async def _end_frozen(self) -> None:
        """So that the next try may find the partition's row free."""
        with suppress(StoreUnavailable), store_faults():
            if ended := await self._pool.fetch(_END_FROZEN, self._frozen_s):
                log.warning("ended sessions whose client stands still within COPY", sessions=len(ended))

    async def _write(self, decided: Decided, progress: Progress, minute: dt.datetime) -> int | None:
        """The first offset of the ledger row written to; None where the partition moved, and nothing is written."""
        if is_small(decided):
            crash.here("writing_whole")
            try:
                with store_faults("audit"):
                    first_offset: int | None = await self._pool.fetchval(WHOLE, *whole(decided, progress, minute))
                    return first_offset
            except RowRefused:
                pass  # only COPY tells which row
        return await self._write_by_parts(decided, progress, minute)

    async def _write_by_parts(self, decided: Decided, progress: Progress, minute: dt.datetime) -> int | None:
        try:
            with store_faults():
                async with self._pool.acquire() as connection, connection.transaction():
                    return await _write(connection, decided, progress, minute)
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


async def _write(connection: Any, decided: Decided, progress: Progress, minute: dt.datetime) -> int | None:
    """The statements of the transaction, in their order: the compare-and-set first, so that a zombie writes nothing."""
    crash.here("transaction_open")
    first_offset: int | None = await connection.fetchval(BOOKS, *books(decided, progress, minute))
    if first_offset is None:
        return None
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
    return first_offset


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


async def _keep_signatures(connection: Any, decided: Decided) -> None:
    at = (decided.work.topic.name, decided.work.partition)
    if gone := decided.signatures.deletions():
        await connection.execute(
            "DELETE FROM unhandled_signatures WHERE topic = $1 AND partition = $2 AND signature = ANY($3)", *at, gone
        )
    columns = signatures(decided)
    if columns[0]:
        await connection.execute(SIGNATURES, *at, *columns)


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
