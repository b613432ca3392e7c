"""Who changes configuration dies, and who follows it: a change is there whole, with its audit row, or not (I8)."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.provision import create_database
from schemas.secret_names import API_KEY
from streams.adapters.database import connect
from streams.adapters.migrations import packaged
from tests.chaos.checker import anomalies
from tests.crashes.batch import Batch, Kind, Position, batch
from tests.crashes.lives import dead_at, die_at, start
from tests.crashes.points import POINTS
from tests.crashes.transaction import Place, prepare
from tests.integration.api_process import answers, get, process
from tests.integration.commands import mutt
from tests.integration.conftest import Database, System
from tests.integration.pipeline import add_rule, configure, until

pytestmark = pytest.mark.campaign

KEY = "alerter_defer_sleep_ms"
SCHEMA = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"


@pytest.mark.parametrize(("name", "there"), [("change_written", False), ("change_committed", True)])
async def test_42_43_a_change_over_the_api_has_its_audit_row_or_is_not_there(
    system: System, name: str, there: bool
) -> None:
    pool, port = system.database.pool, free_port()
    doomed = start(system, POINTS[name], api_port=port)
    await until(lambda: asyncio.to_thread(answers, port), "the API answers")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        await asyncio.to_thread(change, system.database, port, 400)
    await dead_at(system, doomed, POINTS[name])
    rows = [tuple(row) for row in await pool.fetch("SELECT key, value FROM dynamic_config")]
    audited = [tuple(row) for row in await pool.fetch("SELECT object, new_values ->> 'value' FROM config_audit")]
    assert rows == audited == ([(KEY, "400")] if there else [])
    with process(replace(system.settings, api_port=port)):
        assert await asyncio.to_thread(change, system.database, port, 500) == 200
    assert await pool.fetchval("SELECT value FROM dynamic_config") == "500"
    assert await pool.fetchval("SELECT count(*) FROM config_audit") == 1 + there


def change(database: Database, port: int, value: int) -> int:
    """Asks the API for a change; the status of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        headers = {"Content-Type": "application/json"} | key_of(database)
        connection.request("POST", "/api/v2/config/changes", json.dumps({"changes": {KEY: value}}), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def key_of(database: Database) -> dict[str, str]:
    key = database.secrets.get(API_KEY)
    assert key is not None
    return {"X-API-KEY": key.reveal()}


@pytest.mark.parametrize("name", ["rules_compiled", "rules_swapped"])
async def test_44_45_each_batch_is_decided_by_one_whole_version(system: System, name: str) -> None:
    """The worker has loaded its first rules when it dies at its second set."""
    pool = system.database.pool
    await prepare(system)
    doomed = start(system, POINTS[name], nth=2)
    before = await Place.of(system, batch(Kind.MATCHED, Position.FIRST, 0), 0)
    await until(before.done, "a batch is decided by the first set")
    await add_rule(pool, "nothing knows this", "Log_only", priority=1)
    await dead_at(system, doomed, POINTS[name])
    hand = batch(Kind.UNMATCHED, Position.LAST, 1)
    after = await Place.of(system, Batch(hand.records, unmatched=0), 1)
    worker = system.start("match-1")
    await until(after.done, "a batch is decided by the new set")
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    rows = await pool.fetch(
        "SELECT partition, array_agg(DISTINCT ruleset_version) AS versions, bool_or(disposition = 'logged') AS logged"
        " FROM audit GROUP BY partition ORDER BY partition"
    )
    [(_, [old], old_logged), (_, [new], new_logged)] = [tuple(row) for row in rows]
    assert (old < new, old_logged, new_logged) == (True, False, True)
    assert await anomalies(system.database.dsn, system.stack.kafka.bootstrap) == []


@pytest.mark.parametrize(("name", "done"), [("migration_applied", 2), ("migration_recorded", 3)])
async def test_46_47_a_migration_is_recorded_with_its_effect_or_not_there(system: System, name: str, done: int) -> None:
    """It dies in or behind the third."""
    empty = await fresh(system, f"crash_{name}")
    wanted = [tuple(row) for row in await system.database.pool.fetch(SCHEMA)]
    await die_at(system, POINTS[name], 3, ("migrate",), database_url=empty.settings.database_url)
    assert [row[0] for row in await ask(empty, "SELECT number FROM schema_migrations ORDER BY 1")] == list(
        range(1, done + 1)
    )
    assert await effects(empty) == done
    again = await asyncio.to_thread(mutt, empty, system.stack, "migrate", "--json")
    assert json.loads(again.stdout)["applied"] == [str(migration) for migration in packaged()[done:]]
    assert sorted(tuple(row) for row in await ask(empty, SCHEMA)) == sorted(wanted)


async def fresh(system: System, name: str) -> Database:
    """A database without a schema."""
    await create_database(system.settings, name)
    settings = replace(system.settings, database_url=system.settings.database_url.rpartition("/")[0] + f"/{name}")
    return Database(settings, system.database.secrets, system.database.pool)


async def ask(database: Database, query: str) -> Sequence[Any]:
    connection = await connect(database.settings, database.secrets)
    try:
        rows: Sequence[Any] = await connection.fetch(query)
        return rows
    finally:
        await connection.close()


TABLES = ("partition_progress", "alert_rules", "letter_log")
"""One that each of the first three migrations makes."""


async def effects(database: Database) -> int:
    """How many of the first migrations have had their effect."""
    there = await ask(database, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    return len({row[0] for row in there} & set(TABLES))


async def test_55_a_key_that_nobody_was_told_of_leaves_the_older_one_working(system: System) -> None:
    async def keys(*arguments: str) -> Any:
        done = await asyncio.to_thread(mutt, system.database, system.stack, "keys", *arguments, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    made = await keys("create", "grafana", "--scope", "events:read")
    await die_at(system, POINTS["key_made"], arguments=("keys", "rotate", "grafana"))
    [lost] = [key for key in (await keys("list"))["keys"] if key["id"] != made["id"]]
    with process(replace(system.settings, api_port=free_port())) as (port, _):
        assert (await asyncio.to_thread(get, port, "/api/v1/slo", {"X-API-KEY": made["key"]}))[0] == 200
    assert "two live keys" in await keys("rotate", "grafana")
    await keys("revoke", lost["id"])
    again = await keys("rotate", "grafana")
    with process(replace(system.settings, api_port=free_port())) as (port, _):
        for key in (made, again):
            assert (await asyncio.to_thread(get, port, "/api/v1/slo", {"X-API-KEY": key["key"]}))[0] == 200


SILENT = """
CREATE OR REPLACE FUNCTION announce_config_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
'BEGIN UPDATE ruleset_version SET version = version + 1; RETURN NULL; END'
"""


async def test_43_a_change_that_nobody_is_notified_of_is_found_by_the_poll(system: System) -> None:
    pool = system.database.pool
    await prepare(system)
    await configure(pool, "cache_reload_interval", "1")
    worker = system.start("match-1")
    before = await Place.of(system, batch(Kind.MATCHED, Position.FIRST, 0), 0)
    await until(before.done, "a batch is decided by the first set")
    await pool.execute(SILENT)
    await add_rule(pool, "nothing knows this", "Log_only", priority=1)
    await until(lambda: asyncio.to_thread(_says, worker.tail, '"rules":2'), "the worker has the new set")
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()


def _says(tail: Callable[[], str], text: str) -> bool:
    return text in tail()
