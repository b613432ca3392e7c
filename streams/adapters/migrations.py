"""The migration runner: numbered SQL files, each applied once, in order, with its effect and its record together.

While a fleet is upgraded, programs of two versions work on one database: the schema is brought up first, and what the
older program uses stays. A migration that takes something away says in a line which migration a program must know to do
without it, `-- needs: 0012`; older programs then refuse to start. docs/DEPLOYMENT.md has the order of an upgrade.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any

import asyncpg

from schemas.errors import MigrationRefused, StoreUnavailable
from streams import crash
from streams.adapters.database_roles import become_owner, grant
from streams.core.retention import month_after

LOCK_KEY = 0x6D757474
"""Advisory lock of whoever migrates ("mutt")."""
LOCK_POLL_S = 0.2
LOCK_DEADLINE_S = 60.0
LOCK_WAIT_S = 3
"""How long a migration waits for a table; whoever comes after it waits behind it meanwhile."""
BUSY_PAUSE_S = 0.5
BUSY_DEADLINE_S = 600.0
MONTHS_AHEAD = 3

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_NEEDS = re.compile(r"^-- needs: (\d{4})$", re.MULTILINE)
_CREATE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer     PRIMARY KEY,
    name       text        NOT NULL,
    sha256     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS needs integer NOT NULL DEFAULT 0
"""
_APPLIED = """
SELECT number, name, sha256, coalesce((to_jsonb(m) ->> 'needs')::int, 0) AS needs
FROM schema_migrations m ORDER BY number
"""
"""Also where an older program wrote the table, without the column."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def needs(self) -> int:
        """The latest migration that a program must know to work where this one is applied; 0: any program can."""
        found = _NEEDS.search(self.sql)
        return int(found[1]) if found else 0

    def __str__(self) -> str:
        return f"{self.number:04}_{self.name}"


def packaged() -> tuple[Migration, ...]:
    """The migrations of this program, in order."""
    return tuple(sorted(_read(), key=lambda migration: migration.number))


def _read() -> Iterator[Migration]:
    for file in resources.files("schemas").joinpath("sql").iterdir():
        if found := _FILE.fullmatch(file.name):
            yield Migration(int(found.group(1)), found.group(2), file.read_text(encoding="utf-8"))


async def pending(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """The migrations to apply.

    Raises MigrationRefused when an applied one was edited or is missing, or is newer and this program must know it.
    """
    known = await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
    rows = await connection.fetch(_APPLIED) if known else []
    if problems := list(_contradictions(rows, {migration.number: migration for migration in migrations})):
        raise MigrationRefused(problems)
    done = {row["number"] for row in rows}
    return [migration for migration in migrations if migration.number not in done]


def _contradictions(rows: Sequence[Any], ours: dict[int, Migration]) -> Iterator[str]:
    latest = max(ours, default=0)
    for row in rows:
        label = f"{row['number']:04}_{row['name']}"
        mine = ours.get(row["number"])
        if mine is None and row["number"] < latest:
            yield f"the database has {label}, which this program does not know; a migration file is missing"
        elif mine is None:
            if row["needs"] > latest:
                yield f"the database has {label}, and this program cannot work with it; upgrade mutt"
        elif mine.sha256 != row["sha256"]:
            yield f"{label} was edited after it was applied; restore the file and add a new migration instead"


async def migrate(connection: asyncpg.Connection, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Applies what is pending and makes sure that audit partitions lie ahead. Returns what was applied.

    Two runners at once: one waits for the other, polling, because waiting inside the lock function would deadlock
    with concurrent index builds. Works as the owner of the schema, where the roles are there.
    Raises MigrationRefused, or StoreUnavailable when the other does not finish.
    """
    async with _locked(connection), _as_owner(connection) as owned:
        await connection.execute(_CREATE)
        todo = await pending(connection, packaged() if migrations is None else migrations)
        for migration in todo:
            await _among_others(partial(_apply, connection, migration), str(migration))
            crash.here("migration_recorded")
        if migrations is None:
            await _among_others(partial(create_audit_partitions, connection), "audit partitions")
        if todo and owned:
            async with connection.transaction():
                await grant(connection)
    return todo


@asynccontextmanager
async def _as_owner(connection: asyncpg.Connection) -> AsyncIterator[bool]:
    """Whether there is an owner (docs/ACCESS.md) to work as: what is new is its own, and the roles get their rights."""
    owned = await become_owner(connection)
    try:
        yield owned
    finally:
        if owned and not connection.is_closed():
            await connection.execute("RESET ROLE")


async def _among_others(work: Callable[[], Awaitable[Any]], what: str) -> None:
    """Tries again where the locks of workers that work and ours cross, or where a table stays in use for too long."""
    end = asyncio.get_running_loop().time() + BUSY_DEADLINE_S
    while True:
        try:
            await work()
            return
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if asyncio.get_running_loop().time() > end:
                raise StoreUnavailable(
                    f"{what}: its tables are always in use ({error}); see pg_stat_activity"
                ) from error
        await asyncio.sleep(BUSY_PAUSE_S)


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'")
        await connection.execute(migration.sql, timeout=600)
        crash.here("migration_applied")
        await connection.execute(
            "INSERT INTO schema_migrations (number, name, sha256, needs) VALUES ($1, $2, $3, $4)",
            migration.number,
            migration.name,
            migration.sha256,
            migration.needs,
        )


async def create_audit_partitions(connection: asyncpg.Connection, months_ahead: int = MONTHS_AHEAD) -> list[str]:
    """Makes sure that this month and the next ones have their partition of `audit`. Returns their names."""
    today = (await connection.fetchval("SELECT now()")).astimezone(dt.UTC).date()
    months = [month_after(today, ahead) for ahead in range(months_ahead + 1)]
    return [await connection.fetchval("SELECT create_audit_partition($1)", month) for month in months]


@asynccontextmanager
async def _locked(connection: asyncpg.Connection) -> Any:
    try:
        async with asyncio.timeout(LOCK_DEADLINE_S):
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):  # noqa: ASYNC110
                await asyncio.sleep(LOCK_POLL_S)
    except TimeoutError as error:
        raise StoreUnavailable("another migration is running and does not finish; see pg_stat_activity") from error
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_KEY)
