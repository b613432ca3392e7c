"""The migration runner on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from schemas.errors import MigrationRefused
from schemas.rows import AUDIT
from streams.adapters.database import connect
from streams.adapters.migrations import Migration, migrate, packaged, pending
from streams.adapters.reads import PostgresReads
from tests.integration.conftest import Database
from tests.integration.pipeline import until

WAITS_FOR = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::text::regclass AND NOT granted)"
FIRST = Migration(9001, "first", "CREATE TABLE first_one (id int)")
SECOND = Migration(9002, "second", "CREATE TABLE second_one (id int)")


async def test_a_fresh_database_is_current_and_has_partitions_ahead(database: Database) -> None:
    async with database.pool.acquire() as connection:
        assert await pending(connection, packaged()) == []
        names = await connection.fetch(
            "SELECT inhrelid::regclass::text AS n FROM pg_inherits WHERE inhparent = 'audit'::regclass"
        )
    assert len(names) >= 5  # this month, three ahead, and the default


async def test_applies_in_order_and_only_once(database: Database) -> None:
    ours = [*packaged(), FIRST, SECOND]
    async with database.pool.acquire() as connection:
        assert await migrate(connection, ours) == [FIRST, SECOND]
        assert await migrate(connection, ours) == []


async def test_an_edited_migration_is_refused(database: Database) -> None:
    edited = replace(packaged()[0], sql="SELECT 1")
    async with database.pool.acquire() as connection:
        with pytest.raises(MigrationRefused, match="0001_pipeline was edited"):
            await pending(connection, [edited, *packaged()[1:]])


async def test_an_older_program_works_where_nothing_was_taken_away(database: Database) -> None:
    """So do its API, which is ready, and `mutt migrate --check`, until the fleet is upgraded."""
    async with database.pool.acquire() as connection:
        await migrate(connection, [*packaged(), FIRST])
        assert await pending(connection, packaged()) == []
    await PostgresReads(database.pool).check_schema()


async def test_an_older_program_is_refused_where_it_would_miss_something(database: Database) -> None:
    contract = Migration(9003, "third", "-- needs: 9001\nDROP TABLE first_one")
    async with database.pool.acquire() as connection:
        await migrate(connection, [*packaged(), FIRST, SECOND, contract])
        assert await pending(connection, [*packaged(), FIRST]) == []
        with pytest.raises(MigrationRefused, match=r"9003_third.*upgrade"):
            await pending(connection, packaged())


async def test_rows_of_the_audit_are_sent_as_a_type_that_has_their_columns(database: Database) -> None:
    """It never changes: the release before sends it too. A row with more in it needs another type."""
    query = """
        SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum
    """
    async with database.pool.acquire() as connection:
        sent = [tuple(row) for row in await connection.fetch(query, "audit_row")]
        kept = dict([tuple(row) for row in await connection.fetch(query, "audit")])
    assert tuple(name for name, _ in sent) == AUDIT
    assert {name: kept[name] for name, _ in sent} == dict(sent)


async def test_a_hole_in_the_programs_migrations_is_refused(database: Database) -> None:
    async with database.pool.acquire() as connection:
        await migrate(connection, [*packaged(), FIRST, SECOND])
        with pytest.raises(MigrationRefused, match=r"9001_first.*a migration file is missing"):
            await pending(connection, [*packaged(), SECOND])


async def test_a_table_of_an_older_program_is_read_and_brought_up(database: Database) -> None:
    async with database.pool.acquire() as connection:
        await connection.execute("ALTER TABLE schema_migrations DROP COLUMN needs")
        assert await pending(connection, packaged()) == []
        assert await migrate(connection, [*packaged(), FIRST]) == [FIRST]
        assert await connection.fetchval("SELECT max(needs) FROM schema_migrations") == 0


async def test_a_failed_migration_leaves_nothing(database: Database) -> None:
    broken = Migration(9001, "broken", "CREATE TABLE half (id int); SELECT 1/0")
    async with database.pool.acquire() as connection:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(connection, [*packaged(), broken])
        assert await connection.fetchval("SELECT to_regclass('half')") is None
        assert await migrate(connection, [*packaged(), FIRST]) == [FIRST]


async def test_two_runners_at_once_apply_each_migration_once(database: Database) -> None:
    slow = Migration(9001, "slow", "SELECT pg_sleep(0.3); CREATE TABLE slow_one (id int)")
    connections = [await connect(database.settings, database.secrets) for _ in range(2)]
    applied = await asyncio.gather(*(migrate(connection, [*packaged(), slow]) for connection in connections))
    assert sorted(map(len, applied)) == [0, 1]
    for connection in connections:
        await connection.close()


async def test_a_migration_whose_locks_cross_with_those_of_a_worker_is_tried_again(database: Database) -> None:
    """The worker has what the migration wants next, and wants what the migration has: one of them must give way."""
    crossing = Migration(9001, "crossing", "ALTER TABLE ledger ADD COLUMN a int; ALTER TABLE alerts ADD COLUMN a int")
    async with database.pool.acquire() as runner, database.pool.acquire() as worker, database.pool.acquire() as other:
        await worker.execute("SET deadlock_timeout = '60s'")  # so that the migration is the one that gives way
        work = worker.transaction()
        await work.start()
        await worker.execute("LOCK TABLE alerts IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(migrate(runner, [*packaged(), crossing]))
        await until(lambda: other.fetchval(WAITS_FOR, "alerts"), "the migration waits for the worker")
        await worker.execute("LOCK TABLE ledger IN ROW EXCLUSIVE MODE")
        await work.commit()
        assert await migrating == [crossing]


async def test_a_migration_waits_until_a_table_is_free_and_holds_up_nobody_for_long(database: Database) -> None:
    slow = Migration(9001, "slow", "ALTER TABLE alerts ADD COLUMN a int")
    async with database.pool.acquire() as runner, database.pool.acquire() as worker, database.pool.acquire() as other:
        work = worker.transaction()
        await work.start()
        await worker.execute("LOCK TABLE alerts IN ROW EXCLUSIVE MODE")
        migrating = asyncio.create_task(migrate(runner, [*packaged(), slow]))
        await until(lambda: other.fetchval(WAITS_FOR, "alerts"), "the migration waits for the worker")
        await other.fetchval(
            "SELECT count(*) FROM alerts", timeout=60
        )  # behind the migration, which gives up its place
        assert not migrating.done()
        await work.commit()
        assert await migrating == [slow]


@pytest.mark.checks("PG_2")
async def test_audit_tables_are_append_only(database: Database) -> None:
    async with database.pool.acquire() as connection:
        await connection.execute("INSERT INTO dynamic_config (key, value) VALUES ('slo_window_hours', '48')")
        for statement in ("UPDATE config_audit SET reason = 'x'", "DELETE FROM config_audit", "TRUNCATE config_audit"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


@pytest.mark.checks("PG_2")
async def test_each_part_of_the_audit_is_append_only(database: Database) -> None:
    """Triggers of the whole are not asked about statements that name a part."""
    async with database.pool.acquire() as connection:
        await connection.execute("SELECT create_audit_partition('2031-05-01')")
        rows = await connection.fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit'::regclass"
        )
        names = [name for (name,) in rows]
        assert {"audit_default", "audit_2031_05"} <= set(names)
        for name in names:
            for statement in (f"UPDATE {name} SET team = 'x'", f"DELETE FROM {name}", f"TRUNCATE {name}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                    await connection.execute(statement)


async def test_every_change_of_configuration_has_its_audit_row(database: Database) -> None:
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('mutt.actor', 'ann', true), set_config('mutt.reason', 'why', true)")
        await connection.execute("INSERT INTO dynamic_config (key, value) VALUES ('slo_window_hours', '48')")
        await connection.execute("UPDATE dynamic_config SET value = '72'")
        await connection.execute("DELETE FROM dynamic_config")
        rows = await connection.fetch("SELECT * FROM config_audit ORDER BY id")
    assert [(row["operation"], row["changed_by"], row["reason"]) for row in rows] == [
        ("CREATE", "ann", "why"), ("UPDATE", "ann", "why"), ("DELETE", "ann", "why"),
    ]  # fmt: skip
    assert [(row["old_values"], row["new_values"]) for row in rows][1] == ('{"value": "48"}', '{"value": "72"}')
