"""What a fuzz run asks: the API on real servers, with something behind every kind of path, and a key for each role."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from api.problem_types import BY_SLUG
from ops.devstack.layout import free_port
from ops.devstack.processes import Child, wait_until
from ops.devstack.stack import Stack
from schemas.config import BY_NAME
from schemas.scopes import Scope
from schemas.secret_names import API_PEPPER
from schemas.topics import topics_by_name
from streams.adapters.api_keys import KeyStore
from streams.adapters.secrets import live
from streams.adapters.transactions import Transactions
from streams.core.api_keys import WantedKey
from streams.core.authors import Author
from tests.builders import event_json
from tests.fuzz.roles import ROLES
from tests.integration.api_process import answers, get
from tests.integration.conftest import Database
from tests.integration.pipeline import add_rule, until
from tests.integration.topics import produce

SYSLOG = "mutt.ingest.syslog"
HOSTS = tuple(f"edge-{number}" for number in range(30))
EVENTS, SPOILT = 40, 10
WINDOWS = 10
_WINDOWS = f"""
INSERT INTO maintenance_windows (starts_at, ends_at, reason, declared_by)
SELECT now() + n * interval '1 day', now() + n * interval '1 day' + interval '1 hour', 'an upgrade', 'cli:fuzz'
FROM generate_series(1, {WINDOWS}) n"""
_EVENTS = """SELECT format('%s:%s:%s', topic, partition, "offset") FROM audit ORDER BY 1"""
AUTHOR = Author("cli:fuzz", "a fuzz run")

Known = Mapping[tuple[str, str], tuple[str, ...]]
"""What is there, by subject and name of the path parameter."""


@dataclass(frozen=True, slots=True)
class World:
    """A running API."""

    api: Child
    url: str
    keys: Mapping[str, str]
    """The key of each role that has one."""
    known: Known


@asynccontextmanager
async def world(stack: Stack, database: Database) -> AsyncIterator[World]:
    """On empty topics and a fresh database, which then hold a little of everything."""
    store = KeyStore(Transactions(database.pool), live(database.secrets, API_PEPPER))
    rules = [str(await add_rule(database.pool, f"link {host} down")) for host in HOSTS]
    await _hosts(database.pool)
    await _events(stack, database)
    keys = {
        role.name: (await store.create(WantedKey(role.name, role.scopes), AUTHOR)).text.reveal()
        for role in ROLES
        if role.scopes
    }
    others = [WantedKey(host, frozenset({Scope.EVENTS_READ})) for host in HOSTS]
    spare = [(await store.create(wanted, AUTHOR)).key.id for wanted in others]
    known: Known = {
        ("rules", "id"): tuple(rules),
        ("teams", "hostname"): HOSTS,
        ("dev-hosts", "hostname"): HOSTS,
        ("config", "key"): tuple(BY_NAME),
        ("config-audit", "id"): tuple(map(str, range(1, 100))),
        ("keys", "id"): tuple(spare),
        ("maintenance", "id"): tuple(map(str, range(1, WINDOWS + 1))),
        ("events", "id"): tuple(await _texts(database.pool, _EVENTS)),
        ("dead-letters", "id"): tuple(await _texts(database.pool, "SELECT id::text FROM dead_letters ORDER BY 1")),
        ("ledger", "topic"): (SYSLOG,),
        ("ledger", "partition"): tuple(map(str, range(topics_by_name()[SYSLOG].partitions))),
        ("problems", "slug"): tuple(BY_SLUG),
    }
    await database.pool.execute(_WINDOWS)
    port = free_port()
    api = stack.spawn("api", [sys.executable, "-m", "api"], database_url=database.settings.database_url, api_port=port)
    try:
        await asyncio.to_thread(wait_until, lambda: answers(port), what="the API", child=api)
        for key in keys.values():
            # Once seen, it is let in whatever wrong keys come from the same address later.
            await asyncio.to_thread(get, port, "/api/", {"X-API-KEY": key})
        yield World(api, f"http://127.0.0.1:{port}", keys, known)
    finally:
        api.stop()


async def _texts(pool: asyncpg.Pool, question: str) -> list[str]:
    return [row[0] for row in await pool.fetch(question)]


async def _hosts(pool: asyncpg.Pool) -> None:
    await pool.executemany("INSERT INTO development_hosts (hostname) VALUES ($1)", [(host,) for host in HOSTS])
    teams = "INSERT INTO device_teams (hostname, team_assignment) VALUES ($1, 'netops')"
    await pool.executemany(teams, [(host,) for host in HOSTS])


async def _events(stack: Stack, database: Database) -> None:
    """Events that a worker has decided: audit, ledger, alerts and dead letters."""
    hosts = [HOSTS[number % len(HOSTS)] for number in range(EVENTS)]
    good = [(host.encode(), event_json(hostname=host, message=f"link {host} down")) for host in hosts]
    spoilt = [(b"h", json.dumps({"n": number}).encode()) for number in range(SPOILT)]
    await asyncio.to_thread(produce, stack.kafka.bootstrap, SYSLOG, [*good, *spoilt])
    worker = stack.start_worker("match-1", database_url=database.settings.database_url)
    done = "SELECT (SELECT count(*) FROM audit) >= $1 AND (SELECT count(*) FROM dead_letters) >= $2"
    try:
        await until(lambda: database.pool.fetchval(done, EVENTS, SPOILT), "the events are decided")
    finally:
        worker.process.kill()
        worker.process.wait()
