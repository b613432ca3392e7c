"""What retention asks of PostgreSQL and writes there: partitions, archives, runs, and its short locks."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from schemas.errors import TooSlow
from streams import crash
from streams.adapters.archives import Manifest
from streams.adapters.expired_rows import KEY_OF, LONG_S, credit_part
from streams.adapters.legal_holds import active_holds
from streams.core.retention import Hold, Kind, Part

LOCK_TIMEOUT_MS = 100
"""How long others may stand behind us while we wait for a table."""
TRIES = 60
PIECE = 2000
"""Rows read at once."""

_PARTS = r"""
SELECT c.relname AS name, bounds[1]::timestamptz AS low, bounds[2]::timestamptz AS high
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid CROSS JOIN LATERAL
       regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('([^']+)'\) TO \('([^']+)'\)$$) AS bounds
 WHERE i.inhparent = 'audit'::regclass AND c.relname ~ '^audit_[0-9]{4}_[0-9]{2}$' ORDER BY low
"""
_BEGIN = """
INSERT INTO retention_archives (id, name, kind, part, schema_version)
VALUES ($1, $2, $3, $4, (SELECT max(number) FROM schema_migrations))
"""
_VERIFIED = """
UPDATE retention_archives SET state = 'verified', checked_in = CASE WHEN $8 THEN pg_current_xact_id() END,
       low = $2, high = $3, rows = $4, bytes = $5, sha256 = $6, content_sha256 = $7 WHERE id = $1 AND state = 'writing'
"""
_COLUMNS = "id, name, kind, part, low, high, rows, bytes, sha256, content_sha256, state, created_at"


@dataclass(frozen=True, slots=True)
class StoredArchive:
    """An archive as the database knows it; what is not known while it is written is None."""

    id: uuid.UUID
    name: str
    kind: Kind
    part: str | None
    low: dt.datetime | None
    high: dt.datetime | None
    rows: int | None
    bytes: int | None
    sha256: str | None
    content_sha256: str | None
    state: str
    created_at: dt.datetime


class RetentionStore:
    """On a pool of at least two connections. Errors of asyncpg leave as they are."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def now(self) -> dt.datetime:
        now: dt.datetime = await self.pool.fetchval("SELECT clock_timestamp()")
        return now.astimezone(dt.UTC)

    async def parts(self) -> list[Part]:
        return [Part(row["name"], row["low"], row["high"]) for row in await self.pool.fetch(_PARTS)]

    async def strays(self) -> dict[dt.date, int]:
        """Rows of the default partition by month: no partition was there for their time."""
        rows = await self.pool.fetch(
            "SELECT date_trunc('month', broker_time, 'UTC')::date AS month, count(*) AS n FROM audit_default GROUP BY 1"
            " ORDER BY 1",
            timeout=LONG_S,
        )
        return {row["month"]: row["n"] for row in rows}

    async def create(self, month: dt.date) -> str:
        """Makes the partition of a month. Raises TooSlow, or asyncpg's error where strays are in its way."""
        async with self.pool.acquire() as connection:
            name: str = await briefly(connection, "SELECT create_audit_partition($1)", month)
        return name

    async def count(self, part: str) -> int:
        rows: int = await self.pool.fetchval(f"SELECT count(*) FROM {part}", timeout=LONG_S)  # noqa: S608 - our names
        return rows

    async def holds_on(self, part: Part) -> list[Hold]:
        """The holds that keep a partition: by its time, and by its hosts where they name one."""
        found = [hold for hold in await active_holds(self.pool) if hold.touches(Kind.AUDIT, part.low, part.high)]
        return [hold for hold in found if hold.hostname is None or await self._has_host(part, hold)]

    async def _has_host(self, part: Part, hold: Hold) -> bool:
        text = f"SELECT EXISTS (SELECT FROM {part.name} WHERE hostname = $1 AND broker_time >= $2 AND broker_time < $3)"  # noqa: S608 - our names
        low, high = max(part.low, hold.since or part.low), min(part.high, hold.until or part.high)
        return bool(await self.pool.fetchval(text, hold.hostname, low, high, timeout=LONG_S))

    async def lines(self, part: str) -> AsyncIterator[list[str]]:
        """The rows of a partition as JSON, in pieces, by their key: of one moment."""
        order = ", ".join(f't."{name}"' for name in KEY_OF[Kind.AUDIT])
        text = f"SELECT row_to_json(t)::text AS line FROM {part} t ORDER BY {order}"  # noqa: S608 - our names
        async with (
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            cursor = await connection.cursor(text, timeout=LONG_S)
            while rows := await cursor.fetch(PIECE, timeout=LONG_S):
                yield [row["line"] for row in rows]

    async def columns(self, kind: Kind) -> list[str]:
        rows = await self.pool.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
            " ORDER BY attnum",
            kind.value,
        )
        return [row["attname"] for row in rows]

    async def schema_version(self) -> int:
        version: int = await self.pool.fetchval("SELECT max(number) FROM schema_migrations")
        return version

    async def archives(self, *states: str) -> list[StoredArchive]:
        """Archives in these states, or all, oldest first."""
        rows = await self.pool.fetch(
            f"SELECT {_COLUMNS} FROM retention_archives WHERE cardinality($1::text[]) = 0 OR state = ANY($1)"  # noqa: S608 - constants
            " ORDER BY created_at, name",
            list(states),
        )
        return [StoredArchive(**{**row, "kind": Kind(row["kind"])}) for row in rows]

    async def begin(self, name: str, kind: Kind, part: str | None = None) -> uuid.UUID:
        """Names an archive before its file is begun."""
        archive = uuid.uuid4()
        await self.pool.execute(_BEGIN, archive, name, kind.value, part)
        return archive

    async def abandon(self, archive: uuid.UUID) -> None:
        """Forgets an archive that was begun; its files are gone."""
        await self.pool.execute("DELETE FROM retention_archives WHERE id = $1 AND state = 'writing'", archive)

    async def reopen(self, archive: uuid.UUID) -> None:
        """What was archived is not all any more: it is archived anew."""
        await self.pool.execute(
            "UPDATE retention_archives SET state = 'writing' WHERE id = $1 AND state = 'verified'", archive
        )

    async def detach(self, archive: StoredArchive) -> None:
        """Takes a partition whose archive is verified out of the audit; the ledger knows it as archived from then on.

        Raises asyncpg's ObjectInUseError for a legal hold, IntegrityConstraintViolationError where rows came after the
        archive; PartitionHalted where the books do not know a row; TooSlow where the audit is never free.
        """
        assert archive.part is not None
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT retention_check($1)", archive.id, timeout=LONG_S)
            await credit_part(connection, archive.part)
            crash.here("part_credited")
            await briefly(connection, "SELECT retention_detach($1)", archive.id)

    async def drop(self, archive: StoredArchive) -> None:
        """Drops a partition that was detached. Raises ObjectInUseError for a legal hold, TooSlow."""
        async with self.pool.acquire() as connection:
            await briefly(connection, "SELECT retention_drop($1)", archive.id)

    async def forget(self, archive: StoredArchive) -> None:
        await self.pool.execute("UPDATE retention_archives SET state = 'forgotten' WHERE id = $1", archive.id)


async def mark_verified(
    connection: Any, archive: uuid.UUID, manifest: Manifest, span: tuple[dt.datetime, dt.datetime], *, deletes: bool
) -> None:
    """Notes that the file was read back; `deletes`: and that this transaction deletes its rows."""
    sums = manifest.rows, manifest.bytes, manifest.sha256, manifest.content_sha256
    await connection.execute(_VERIFIED, archive, *span, *sums, deletes)


async def mark_removed(connection: Any, archive: uuid.UUID) -> None:
    await connection.execute(
        "UPDATE retention_archives SET state = 'removed', finished_at = now() WHERE id = $1", archive
    )


async def briefly(connection: Any, statement: str, *values: Any) -> Any:
    """Runs what needs a table for itself, and never waits longer for it than LOCK_TIMEOUT_MS at a time.

    Raises TooSlow when the table is not free in any of TRIES tries.
    """
    for _ in range(TRIES):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                return await connection.fetchval(statement, *values)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(random.uniform(0.1, 1.0))  # noqa: S311 - no secret
    raise TooSlow(f"PostgreSQL: the audit was in use whenever it was asked for ({TRIES} tries); run again")


def span_of(rows: Sequence[Any]) -> tuple[dt.datetime, dt.datetime]:
    """From the earliest time of these rows to just after the latest."""
    times = [row["at"] for row in rows]
    return min(times), max(times) + dt.timedelta(microseconds=1)
