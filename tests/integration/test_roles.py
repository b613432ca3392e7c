"""The roles of PostgreSQL: what each may do is what the table says, tried verb by verb, and no more."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from schemas.secrets import Secret
from streams.adapters.database import connect_as
from streams.adapters.database_roles import apply_roles, differences
from streams.core.database_access import FUNCTIONS, TABLES, DbRole, Grant, Verb, table_grants, wanted
from tests.integration.conftest import Database
from tests.programs import run_text

ROLES = [role for role in DbRole if role is not DbRole.OWNER]

# Whether the role may run a statement: what it does is undone, and another error than a refusal comes after the right.
TRY = """
CREATE FUNCTION pg_temp.refused(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE EXCEPTION 'undo' USING ERRCODE = 'MUUND';
EXCEPTION
    WHEN insufficient_privilege THEN RETURN SQLERRM ~ '^(permission denied|must be owner)';
    WHEN OTHERS THEN RETURN false;
END $$"""
COLUMNS = """
SELECT c.relname::text AS name,
       array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '') AS columns
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY 1 ORDER BY 1"""


@pytest_asyncio.fixture
async def owned(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the server's administrator; the roles are there."""
    async with database.pool.acquire() as connection:
        await apply_roles(connection)  # type: ignore[arg-type]
        yield connection  # type: ignore[misc]


async def allowed(connection: asyncpg.Connection, role: str, statements: list[str]) -> set[str]:
    """Those of the statements that the role may run."""
    await connection.execute(f"SET SESSION AUTHORIZATION {role}")
    try:
        rows = await connection.fetch("SELECT s FROM unnest($1::text[]) s WHERE NOT pg_temp.refused(s)", statements)
    finally:
        await connection.execute("RESET SESSION AUTHORIZATION")
    return {row["s"] for row in rows}


def tries(table: str, columns: list[str]) -> Iterator[tuple[str, str, str]]:
    """Verb, column and statement."""
    yield Verb.SELECT, "", f"SELECT * FROM {table} LIMIT 0"
    yield Verb.INSERT, "", f"INSERT INTO {table} DEFAULT VALUES"
    yield Verb.DELETE, "", f"DELETE FROM {table} WHERE false"
    yield Verb.MAINTAIN, "", f"LOCK TABLE ONLY {table} IN SHARE MODE"
    yield "TRUNCATE", "", f"TRUNCATE {table}"
    yield "DDL", "", f"ALTER TABLE {table} ADD COLUMN more integer"
    yield "DDL", "trigger", f"ALTER TABLE {table} DISABLE TRIGGER ALL"
    yield "DDL", "index", f"CREATE INDEX ON {table} ({columns[0]})"
    yield "DDL", "drop", f"DROP TABLE {table} CASCADE"
    everything = ", ".join(f'"{name}" = DEFAULT' for name in columns)
    yield Verb.UPDATE, "", f"UPDATE {table} SET {everything} WHERE false"
    for name in columns:
        yield Verb.UPDATE, name, f'UPDATE {table} SET "{name}" = DEFAULT WHERE false'


@pytest.mark.checks("PG_1")
async def test_each_role_may_do_what_the_table_says_and_nothing_else(owned: asyncpg.Connection) -> None:
    """Every verb on every table there is, whether mutt's table of roles knows it or not."""
    await owned.execute(TRY)
    tables = {row["name"]: row["columns"] for row in await owned.fetch(COLUMNS)}
    parts = {name for name in tables if name not in TABLES}
    assert all(re.fullmatch(r"audit_(default|\d{4}_\d{2})", part) for part in parts)
    due = {each for each in wanted(set(tables), parts) if each.object in tables}
    for each in list(due):
        if each.verb == Verb.UPDATE and not each.column:
            due |= {each._replace(column=column) for column in tables[each.object]}
        if each.verb in (Verb.UPDATE, Verb.DELETE) and not each.column:
            due.add(each._replace(verb=Verb.MAINTAIN))  # they may lock it
    for role in ROLES:
        tried = {
            statement: Grant(role, table, verb, column)
            for table, columns in tables.items()
            for verb, column, statement in tries(table, columns)
        }
        real = {tried[statement] for statement in await allowed(owned, role, list(tried))}
        assert real == {each for each in due if each.role == role}


@pytest.mark.checks("PG_2")
async def test_nobody_changes_or_deletes_what_was_audited(owned: asyncpg.Connection) -> None:
    for table in ("audit", "config_audit", "alert_rule_versions"):
        assert {grant.verb for grant in table_grants(table)} <= {Verb.SELECT, Verb.INSERT}
    for table in ("audit", "config_audit"):
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"UPDATE {table} SET object = ''"):
            if table == "audit":
                statement = statement.replace("object", "message")
            await refused(owned, f"SET LOCAL ROLE mutt_owner; {statement}")


async def refused(connection: asyncpg.Connection, statements: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        async with connection.transaction():
            await connection.execute(statements)


@pytest.mark.checks("PG_3")
async def test_nobody_but_the_owner_makes_anything_and_names_are_looked_up_in_one_place(
    owned: asyncpg.Connection,
) -> None:
    await owned.execute(TRY)
    makes = [
        "CREATE TABLE public.t (i int)", "CREATE TEMPORARY TABLE audit (i int)", "CREATE SCHEMA s",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE ROLE r", "SET ROLE mutt_owner",
        "COPY audit TO PROGRAM 'true'", "SELECT pg_read_file('PG_VERSION')",
        "ALTER FUNCTION retention_drop(uuid) OWNER TO CURRENT_USER",
    ]  # fmt: skip
    for role in ROLES:
        becomes = {"SET ROLE mutt_owner"} if role is DbRole.MIGRATE else set()
        assert await allowed(owned, role, makes) == becomes
    for role in DbRole:
        config = await owned.fetchval("SELECT rolconfig FROM pg_roles WHERE rolname = $1", role)
        assert "search_path=public, pg_temp" in [each.replace('"', "") for each in config]


@pytest.mark.checks("PG_2", "PG_3")
async def test_functions_with_their_owners_rights_are_for_retention_alone(owned: asyncpg.Connection) -> None:
    """Or they are triggers, which nobody can call."""
    rows = await owned.fetch(
        "SELECT oid::regprocedure::text AS name, prorettype = 'trigger'::regtype AS is_trigger, proconfig,"
        " pg_get_userbyid(proowner)::text AS owner FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND prosecdef"
    )
    assert {row["name"] for row in rows if not row["is_trigger"]} == set(FUNCTIONS)
    assert {row["owner"] for row in rows} == {DbRole.OWNER}
    assert all("search_path=public, pg_temp" in row["proconfig"] for row in rows)
    for role in ROLES:
        for name in FUNCTIONS:
            may = await owned.fetchval("SELECT has_function_privilege($1, $2, 'EXECUTE')", role, name)
            assert may == (role in FUNCTIONS[name]), (role, name)


def mutt(database: Database, *arguments: str, status: int = 0) -> str:
    done = run_text("mutt", *arguments, environment=database.settings.to_env(), within=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_roles_are_made_checked_and_mended(owned: asyncpg.Connection, database: Database) -> None:
    assert await differences(owned) == []
    for statement in (
        "GRANT DELETE ON audit TO mutt_worker", "REVOKE INSERT ON alerts FROM mutt_worker",
        "GRANT UPDATE (message) ON audit TO mutt_api", "GRANT SELECT ON audit TO PUBLIC",
        "GRANT EXECUTE ON FUNCTION retention_drop(uuid) TO mutt_readonly", "ALTER ROLE mutt_api CREATEDB",
        "GRANT mutt_worker TO mutt_readonly", "ALTER ROLE mutt_api RESET search_path",
        "GRANT CREATE ON SCHEMA public TO mutt_api", "ALTER TABLE schema_migrations OWNER TO mutt",
    ):  # fmt: skip
        await owned.execute(statement)
    said = await asyncio.to_thread(mutt, database, "roles", "check", "--json", status=1)
    assert sorted(json.loads(said)["differences"]) == [
        "everybody SELECT on audit: too much",
        "mutt_api UPDATE on audit (message): too much",
        "mutt_api can log in, or has a power of its own",
        'mutt_api lacks the setting: SET search_path = "public", pg_temp',
        "mutt_api may create in the schema public",
        "mutt_readonly EXECUTE on retention_drop(uuid): too much",
        "mutt_readonly is a member of mutt_worker",
        "mutt_worker DELETE on audit: too much",
        "mutt_worker INSERT on alerts: missing",
        "schema_migrations is not mutt_owner's",
    ]
    said = await asyncio.to_thread(mutt, database, "roles", "check", status=1)
    assert "everybody SELECT on audit: too much\n" in said
    assert "10 differences; run: mutt roles apply" in said
    grant = 'GRANT SELECT ON TABLE "audit" TO mutt_readonly'
    assert f"{grant};\n" in await asyncio.to_thread(mutt, database, "roles", "apply", "--dry-run")
    assert grant in await apply_roles(owned, keep=False)
    assert len(await differences(owned)) == 10
    assert "are as they should be" in await asyncio.to_thread(mutt, database, "roles", "apply")
    assert await asyncio.to_thread(mutt, database, "roles", "check") == "the roles are as they should be\n"
    assert json.loads(await asyncio.to_thread(mutt, database, "roles", "apply", "--json"))["applied"]
    assert await differences(owned) == []


async def test_a_login_for_each_role_that_has_a_password(
    owned: asyncpg.Connection, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "logins"
    folder.mkdir(mode=0o700)
    arguments = ("roles", "apply", "--logins", str(folder))
    assert "no file named like a role" in await asyncio.to_thread(mutt, database, *arguments, status=2)
    for name in ("api", "retention", "other"):
        (folder / name).touch(mode=0o600)
    for password in ("first", "second"):  # the second time the login is there
        for name in ("api", "retention"):
            (folder / name).write_text(f"{password} of {name}\n")
        await asyncio.to_thread(mutt, database, *arguments)
        for role in ("api", "retention"):
            settings = replace(database.settings, database_url=database.settings.database_url.replace("mutt@", ""))
            connection = await connect_as(settings, f"mutt_{role}_a", Secret(f"{password} of {role}"))
            assert await connection.fetchval("SELECT pg_has_role(current_user, $1, 'USAGE')", f"mutt_{role}")
            await connection.close()
    assert await differences(owned) == []
    (folder / "worker").touch(mode=0o600)
    assert "worker" in await asyncio.to_thread(mutt, database, *arguments, status=78)
    (folder / "worker").unlink()
    (folder / "api").chmod(0o644)
    assert "is open to others" in await asyncio.to_thread(mutt, database, *arguments, status=78)
