"""One run of a contestant from an empty database to the last event, measured and checked."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.rows import AUDIT
from tests.bench.arena import TOPIC, Arena, Rules, audit_rows
from tests.bench.exact import Books, alerts_on_topic, check_books, check_rival
from tests.bench.race import ROWS, Course, Race, cpu_seconds, tree_cpu_seconds, watch
from tests.integration.conftest import Database

EVERY_EVENT = {"audit_unhandled_events": True}
UNSAFE = "unsafe_worker"

Look = Callable[[Database], Awaitable[Any]]


@dataclass(frozen=True)
class Run:
    """What one run of mutt showed."""

    race: Race
    books: Books
    costs: Mapping[str, float]
    """Of the servers, an event: CPU of PostgreSQL and Kafka in microseconds, bytes of write-ahead log and of audit."""
    start: Mapping[str, float]
    """Seconds from the start of the process to what its log tells, and from there to the first commit."""
    seen: Any = None
    """What was looked at before its database was dropped."""


async def mutt(
    arena: Arena, *, topic: str = TOPIC, rules: Rules | None = None, look: Look | None = None, **config: object
) -> Run:
    """One match worker over a filled topic. Its books must balance."""
    async with arena.database(rules=rules, topic=topic, **config) as database:
        began = time.time()
        child = arena.match(database)
        count = arena.on(topic)
        before = await _servers(arena, database)
        race = await watch(child, Course(database.pool, topic, count))
        after = await _servers(arena, database)
        costs = {name: (after[name] - before[name]) / count for name in after}
        books = await check_books(database, count, every_event_audited=bool(config.get("audit_unhandled_events")))
        start = _start(child.tail(100_000), began, race.first_s)
        return Run(race, books, costs, start, await look(database) if look else None)


def _start(log: str, began: float, first_s: float) -> dict[str, float]:
    """The parts of a start. The log may hold earlier runs; the last of each line is this one's."""
    told: dict[str, float] = {}
    for line in log.splitlines():
        if line.startswith("{") and (entry := json.loads(line)).get("event") in ("rules in force", "assigned"):
            told[entry["event"]] = dt.datetime.fromisoformat(entry["timestamp"]).timestamp() - began
    rules, group = told["rules in force"], told["assigned"]
    return {
        "start_to_rules_s": rules, "start_rules_to_group_s": group - rules, "start_group_to_commit_s": first_s - group,
    }  # fmt: skip


async def _servers(arena: Arena, database: Database) -> dict[str, float]:
    """What the servers have spent so far."""
    kafka, postgres = arena.stack.kafka.child, arena.stack.postgres.child
    assert kafka is not None
    assert postgres is not None
    row = await database.pool.fetchrow(
        "SELECT (pg_current_wal_lsn() - '0/0')::float8 AS wal, (SELECT sum(pg_total_relation_size(relid))::float8"
        " FROM pg_partition_tree('audit') WHERE isleaf) AS audit"
    )
    return {
        "postgres_cpu_us": 1e6 * tree_cpu_seconds(postgres.pid), "kafka_cpu_us": 1e6 * cpu_seconds(kafka.pid),
        "wal_bytes": row["wal"], "audit_bytes": row["audit"],
    }  # fmt: skip


async def unsafe(arena: Arena, wanted: Books) -> Race:
    """mutt without ledger, outbox and compare-and-set: the same rows and alerts as `wanted`, nothing to prove it."""
    async with arena.database(topic=TOPIC, **EVERY_EVENT) as database:
        before = await alerts_on_topic(arena)
        child = arena.module(UNSAFE, database_url=database.settings.database_url)
        race = await watch(child, Course(database.pool, TOPIC, arena.on(TOPIC), ROWS))
        decided = await check_rival(database, TOPIC)
        child.stop()
        raised = await alerts_on_topic(arena) - before
        assert (sum(decided.values()), raised) == (wanted.audited, wanted.alerts), (decided, raised, wanted)
        return race


async def rival(
    arena: Arena, module: str, *arguments: str, count: int, probe: str, python: str | None = None
) -> tuple[Race, dict[str, int]]:
    """A rival over at least the first `count` events of TOPIC; also its decisions. Its rows must be exact."""
    async with arena.database() as database:
        named = [arena.bootstrap, TOPIC, arena.rules_file(), database.dsn, *arguments]
        child = arena.module(f"rivals.{module}", *named, **({"python": python} if python else {}))
        race = await watch(child, Course(database.pool, TOPIC, min(count, arena.on(TOPIC)), probe))
        child.stop()
        return race, await check_rival(database, TOPIC)


async def raw_copy(arena: Arena, rows: list[tuple[Any, ...]]) -> float:
    """The same rows into the same table by one COPY on one connection: rows a second."""
    async with arena.database() as database, database.pool.acquire() as connection:
        began = time.perf_counter()
        await connection.copy_records_to_table("audit", records=rows, columns=AUDIT, timeout=300)
        return len(rows) / (time.perf_counter() - began)


async def copied_rows(database: Database) -> list[tuple[Any, ...]]:
    return await audit_rows(database.pool)
