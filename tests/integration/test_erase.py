"""`mutt erase` on real servers: text is gone, rows, decisions and the balance stay; else the audit is append-only."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from streams.adapters.deliveries import PostgresDeliveries
from streams.core.erasure import Target
from tests.integration.aged import ALERTED, HOSTS, LOGGED, TOPIC, age
from tests.integration.commands import produce
from tests.integration.conftest import Database, System
from tests.integration.test_retention import Desk

WHY = ("--reason", "request 17 of its owner", "--actor", "cli:ann")
OF_H1 = len(range(0, LOGGED, len(HOSTS)))


def counts(told: Any) -> dict[str, tuple[int, int, int]]:
    return {table: (tally["rows"], tally["held"], tally["busy"]) for table, tally in told["tables"].items()}


async def test_what_a_host_said_is_gone_and_the_books_balance(system: System, tmp_path: Path) -> None:
    pool = system.database.pool
    archives = tmp_path / "archives"
    archives.mkdir(mode=0o700)
    desk = Desk(system.database, system.stack, archives)
    history = await age(pool, -6, 0)
    produce(system.stack, TOPIC, 0, *[b"{}"] * history.offsets)
    await desk.run("retention", "run")
    balanced = await desk.run("ledger", "verify")
    before = await everything(pool)
    rows_of_h1 = await pool.fetchval("SELECT count(*) FROM audit WHERE hostname = 'h1'")
    assert rows_of_h1 >= OF_H1

    rehearsed = await desk.run("erase", "--host", "h1", *WHY, "--dry-run")
    assert rehearsed["id"] is None
    assert await everything(pool) == before
    assert "--yes" in await desk.run("erase", "--host", "h1", *WHY, status=2)
    done = await desk.run("erase", "--host", "h1", *WHY, "--yes")

    assert counts(done) == counts(rehearsed)
    assert counts(done)["audit"] == (rows_of_h1, 0, 0)
    assert done["archives"] == rehearsed["archives"]
    assert [name.rpartition("_")[0] for name in done["archives"]], "those of the month that went hold it still"
    assert await everything(pool) == before
    left = await pool.fetch("SELECT DISTINCT message, raw, flags FROM audit WHERE hostname = 'h1'")
    assert [tuple(row) for row in left] == [("[erased]", b"", ["erased"])]
    assert await pool.fetchval("SELECT count(*) FROM audit WHERE hostname <> 'h1' AND message LIKE '%line%'") > 0
    letters = await pool.fetch("SELECT state, key, value, header_values FROM dead_letters")
    assert {row["state"] for row in letters} <= {"purged", "replayed"}
    assert [tuple(row[1:]) for row in letters] == [(None, None, [])] * len(letters)
    assert await desk.run("ledger", "verify") == balanced
    record = await pool.fetchrow("SELECT * FROM erasures")
    assert (record["actor"], record["reason"], record["hostname"]) == ("cli:ann", "request 17 of its owner", "h1")
    assert json.loads(record["counts"])["audit"] == rows_of_h1
    again = await desk.run("erase", "--host", "h1", *WHY, "--yes")
    assert {tally[0] for tally in counts(again).values()} == {0}


async def everything(pool: asyncpg.Pool) -> list[Any]:
    """Where every row is, and what was decided."""
    rows = await pool.fetch(
        'SELECT topic, partition, "offset", broker_time, hostname, disposition, alert_id FROM audit ORDER BY 3'
    )
    counted = [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in ("alerts", "dead_letters", "ledger")]
    return [*map(tuple, rows), *counted]


async def test_a_text_is_found_wherever_it_stands_and_stays_nowhere(desk: Desk, database: Database) -> None:
    pool = database.pool
    now = dt.datetime.now(dt.UTC)
    secret = "Erika Mustermann"
    await age(pool, 0)
    await pool.execute(
        'INSERT INTO audit (topic, partition, "offset", broker_time, hostname, disposition, ruleset_version, message,'
        " raw) VALUES ($1, 0, 900, $2, 'h9', 'logged', 1, 'login of ERIKA mustermann', $3)",
        TOPIC, now, b'{"m": "other"}',
    )  # fmt: skip
    await pool.execute("UPDATE alerts SET payload = $1", json.dumps({"text": f"login of {secret}"}))
    pending = await pool.fetchval(
        "UPDATE alerts SET state = 'pending' WHERE id = (SELECT id FROM alerts LIMIT 1) RETURNING id"
    )
    await pool.execute("UPDATE dead_letters SET value = $1 WHERE state = 'open'", f"x{secret}x".encode())
    committed = await pool.fetchval("SELECT sha256(convert_to(payload::text, 'UTF8')) FROM alerts LIMIT 1")

    done = await desk.run("erase", "--pattern", secret, *WHY, "--yes", status=75)

    assert counts(done) == {
        "audit": (1, 0, 0), "alerts": (ALERTED - 1, 0, 1), "dead_letters": (1, 0, 0), "unhandled_signatures": (0, 0, 0),
    }  # fmt: skip
    standing = await PostgresDeliveries(pool).load([row["id"] for row in await pool.fetch("SELECT id FROM alerts")])
    assert {each.payload_sha256 for each in standing.values()} == {committed}, "a copy from Kafka is no stranger"
    await pool.execute("UPDATE alerts SET state = 'delivered' WHERE id = $1", pending)
    assert counts(await desk.run("erase", "--pattern", secret, *WHY, "--yes"))["alerts"] == (1, 0, 0)
    for table in ("audit", "alerts", "dead_letters", "letter_log", "erasures"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table} t WHERE lower(t::text) LIKE '%mustermann%'") == 0
    digests = {row["pattern_sha256"] for row in await pool.fetch("SELECT pattern_sha256 FROM erasures")}
    assert digests == {hashlib.sha256(secret.encode()).digest()}


async def test_what_is_under_a_legal_hold_stays_whole(desk: Desk, database: Database) -> None:
    await age(database.pool, 0)
    await desk.run("retention", "hold", "set", "--host", "h1", "--reason", "a case")
    done = await desk.run("erase", "--host", "h1", *WHY, "--yes")
    assert {tally[0] for tally in counts(done).values()} == {0}
    assert counts(done)["audit"][1] > 0
    assert await database.pool.fetchval("SELECT count(*) FROM audit WHERE message = '[erased]'") == 0


@pytest.mark.checks("PG_2")
async def test_the_audit_stays_append_only_for_every_other_way(database: Database) -> None:
    pool = database.pool
    await age(pool, 0)
    part = await pool.fetchval("SELECT tableoid::regclass::text FROM audit LIMIT 1")
    erase = "SET message = '[erased]', raw = '', raw_sha256 = NULL, correlation_id = NULL, flags = '{erased}'"
    begun = "INSERT INTO erasures (id, actor, reason, hostname) VALUES (gen_random_uuid(), 'a', 'r', 'h1')"
    for table in ("audit", part):
        for change in (f"UPDATE {table} {erase}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            await refused(pool, change)
        await refused(pool, begun, f"UPDATE {table} SET message = 'forged'")
        await refused(pool, begun, f"UPDATE {table} {erase}, disposition = 'ignored'")
        await refused(pool, begun, f"DELETE FROM {table}")
    await pool.execute(begun)
    await refused(pool, f"UPDATE audit {erase}")
    await refused(pool, "UPDATE erasures SET reason = 'another'")
    await refused(pool, "DELETE FROM erasures")
    await refused(pool, "TRUNCATE erasures")
    await refused(pool, begun, "UPDATE config_audit SET changed_by = 'nobody'")


async def refused(pool: asyncpg.Pool, *statements: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await together(pool, statements)


async def together(pool: asyncpg.Pool, statements: tuple[str, ...]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        for statement in statements:
            await connection.execute(statement)


@pytest.mark.parametrize(
    "arguments",
    [(), ("--host", ""), ("--pattern", "abc"), ("--pattern", "x" * 201)],
    ids=["nothing", "no host", "short", "long"],
)
async def test_what_is_not_well_asked_for_is_refused(desk: Desk, arguments: tuple[str, ...]) -> None:
    await desk.run("erase", *arguments, *WHY, "--yes", status=2)


@pytest.mark.parametrize(
    ("target", "row", "found"),
    [
        (Target("h1"), {"hostname": "h1"}, True),
        (Target("h1"), {"hostname": "h2"}, False),
        (Target(None, "Erika"), {"message": "by ERIKA"}, True),
        (Target(None, "Erika"), {"raw": "\\x" + b"Erika".hex()}, True),
        (Target("h1", "Erika"), {"hostname": "h1", "message": "by others"}, False),
    ],
)
def test_lines_of_archives_are_looked_at(target: Target, row: dict[str, str], found: bool) -> None:
    assert target.is_in(json.dumps(row).encode()) is found


@pytest.fixture
def desk(database: Database, postgres: Any, tmp_path: Path) -> Desk:
    return Desk(database, postgres, tmp_path)
