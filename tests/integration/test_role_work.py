"""Each service does its work with the login of its role, and PostgreSQL refuses it nothing on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from ops.devstack.provision import create_database
from ops.devstack.stack import Stack
from schemas.scopes import Scope
from schemas.secrets import Secret
from streams.adapters.api_keys import KeyStore
from streams.adapters.archive_reading import restore, unrestore
from streams.adapters.archives import ArchiveFolder
from streams.adapters.config_store import ConfigStore
from streams.adapters.database_roles import differences
from streams.adapters.ended_sessions import PostgresEndedSessions
from streams.adapters.ledger import Ledger, Reset
from streams.adapters.legal_holds import LegalHolds, Wanted
from streams.adapters.migrations import migrate, packaged, pending
from streams.adapters.retention_plan import make_plan
from streams.adapters.retention_run import Retention
from streams.adapters.retention_status import read_facts
from streams.adapters.retention_store import RetentionStore
from streams.adapters.transactions import Transactions
from streams.core.api_keys import WantedKey
from streams.core.authors import Author
from streams.core.database_access import DbRole
from streams.core.retention import Kind, Policies, policies
from tests.builders import event_json
from tests.integration.aged import ALERTED, LOGGED, TOPIC, age
from tests.integration.configuring import RULE, asking
from tests.integration.conftest import Database, System
from tests.integration.forwarding import listening
from tests.integration.logins import as_role, make_logins, settings_as
from tests.integration.pipeline import add_rule, settled, until
from tests.integration.topics import produce

ANN = Author("cli:ann", "a test")


@pytest.fixture(autouse=True)
def nothing_refused(postgres: Stack) -> Iterator[None]:
    """The server's log tells of every statement that lacked a right, also of those that a service tries again."""
    log = postgres.layout.logs / "postgres.log"
    before = log.stat().st_size
    yield
    with log.open("rb") as file:
        file.seek(before)
        refused = [line for line in file if b"permission denied" in line or b"must be owner" in line]
    assert refused == []


async def test_workers_match_forward_and_index_as_the_role_of_workers(system: System) -> None:
    pool = system.database.pool
    await add_rule(pool, "link down")
    await make_logins(system.database)
    address = settings_as(system.database, DbRole.WORKER).database_url
    async with listening() as receiver:
        for worker in ("match-1", "forward-1", "dead-letters-1"):
            system.stack.start_worker(worker, database_url=address, webhook_url=receiver.url)
        values = [event_json(hostname=f"h{n}", message="link down") for n in range(20)]
        values += [event_json(message="nobody knows this"), b"no event"]
        produce(system.stack.kafka.bootstrap, "mutt.ingest.syslog", [(b"h", value) for value in values])
        produce(system.stack.kafka.bootstrap, "mutt.dlq", [(b"h", b"a letter of another tool")])
        await settled(pool, system.stack.kafka.bootstrap)
        await until(lambda: pool.fetchval("SELECT count(*) = 20 FROM alerts WHERE state = 'delivered'"), "delivered")
        await until(lambda: pool.fetchval("SELECT count(*) = 2 FROM dead_letters"), "both letters are there")
    users = await pool.fetch("SELECT DISTINCT usename::text AS u FROM pg_stat_activity WHERE usename LIKE '%_test'")
    assert {row["u"] for row in users} == {"mutt_worker_test"}


async def test_the_api_changes_and_reads_as_its_role(database: Database) -> None:
    await make_logins(database)
    async with as_role(database, DbRole.API) as ours, asking(ours) as api:
        await api.ask("POST", "/api/v2/rules", 201, json=RULE, headers={"Idempotency-Key": "k1"})
        await api.write("PATCH", "/api/v2/rules/1", json={"priority": 7})
        await api.write("DELETE", "/api/v2/rules/1?reason=gone", 204)
        await api.write("PUT", "/api/v2/config/moog_rate_limit", json={"value": 7})
        await api.ask("POST", "/api/v2/dev-hosts", 201, json={"hostname": "h1"})
        for path in (
            "overview",
            "audit-logs",
            "config-audit",
            "slo",
            "dead-letters",
            "ledger",
            "deliveries",
            "rules/1/history",
        ):
            await api.ask("GET", f"/api/v2/{path}")
        keys = KeyStore(Transactions(ours.pool), lambda: (Secret("p" * 32),))
        made = await keys.create(WantedKey("ann", frozenset({Scope.RULES_READ})), ANN)
        assert await keys.find(made.key.id)
        await keys.note_uses({made.key.id: dt.datetime.now(dt.UTC)})
        await keys.revoke(made.key.id, ANN)
        await keys.forget_failures(10)
        ended = PostgresEndedSessions(Transactions(ours.pool))
        await ended.end("session", dt.datetime.now(dt.UTC))
        assert await ended.is_ended("session")
        assert await ended.forget(10) == 1
    assert await database.pool.fetchval("SELECT count(*) FROM config_audit") == 7


async def policies_of(database: Database) -> Policies:
    return policies(await ConfigStore(Transactions(database.pool)).read())


async def alive() -> bool:
    return True


async def test_retention_runs_as_its_role_and_holds_are_an_operators(database: Database, tmp_path: Path) -> None:
    pool = database.pool
    history = await age(pool, -6, -5)
    await make_logins(database)
    folder = ArchiveFolder(tmp_path)
    async with as_role(database, DbRole.OPERATOR) as ours:
        await LegalHolds(Transactions(ours.pool)).set(Wanted(kind=Kind.ALERTS, hostname="h2"), ANN)
    async with as_role(database, DbRole.RETENTION) as ours:
        store, rules = RetentionStore(ours.pool), await policies_of(ours)
        now = await store.now()
        await store.create((now + dt.timedelta(days=365)).date())
        done = await Retention(store, folder, rules, now, holds=alive).run(
            await make_plan(store, rules, now), "cli:cron", lambda _: None
        )
        assert done.problems == []
        await read_facts(store, rules, now)
    assert await pool.fetchval("SELECT count(*) FROM audit") == 0
    assert await pool.fetchval("SELECT count(*) FROM config_audit WHERE changed_at < now() - interval '1 year'") == 1
    async with as_role(database, DbRole.MIGRATE) as ours:
        table = await restore(RetentionStore(ours.pool), folder, history.parts[0], lambda _: None)
    async with as_role(database, DbRole.READONLY) as ours:
        assert await ours.pool.fetchval(f"SELECT count(*) FROM {table}") == LOGGED + ALERTED
    async with as_role(database, DbRole.MIGRATE) as ours:
        await unrestore(RetentionStore(ours.pool), history.parts[0])
    async with database.pool.acquire() as connection:
        assert await differences(connection) == []


async def test_an_operator_resets_the_ledger_as_his_role(database: Database) -> None:
    history = await age(database.pool, 0)
    await make_logins(database)
    async with as_role(database, DbRole.OPERATOR) as ours:
        books = Ledger(ours.pool)
        standing = await books.partition(TOPIC, 0)
        assert standing is not None
        assert await books.reset(Reset(TOPIC, 0, history.offsets + 5, "cli:ann", None), standing)
        await books.read()


async def test_a_fresh_schema_is_made_as_the_role_that_migrates(postgres: Stack, database: Database) -> None:
    """The roles come first, on an empty database; what migrations make is the owner's, and they get their rights."""
    name = f"empty_{database.settings.database_url.rpartition('_')[2]}"
    await create_database(postgres.settings, name)
    url = f"{database.settings.database_url.rpartition('/')[0]}/{name}"
    empty = Database(replace(database.settings, database_url=url), database.secrets, database.pool)
    async with as_role(empty, None) as ours:
        await make_logins(ours)
    async with as_role(empty, DbRole.MIGRATE) as ours, ours.pool.acquire() as connection:
        assert await pending(connection, packaged()) == list(packaged())
        await migrate(connection)
        assert await pending(connection, packaged()) == []
        assert await connection.fetchval("SELECT current_user") == "mutt_migrate_test"
    async with as_role(empty, None) as ours, ours.pool.acquire() as connection:
        assert await differences(connection) == []
