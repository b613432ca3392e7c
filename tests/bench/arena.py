"""The ring all contestants run in: real servers, one filled topic, a fresh database a round."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from msgspec.structs import replace

from ops.devstack.stack import Stack
from schemas.rows import AUDIT
from schemas.settings import Settings
from tests.bench import workload
from tests.integration.conftest import Database, empty_topics, end_workers, new_database
from tests.integration.topics import produce

TOPIC = "mutt.ingest.syslog"
UNPRESSED = {
    "alerter_queue_warn_threshold": 10**7 - 2,
    "alerter_queue_shed_threshold": 10**7 - 1,
    "alerter_queue_hard_limit": 10**8,
}
"""Nothing forwards alerts here, so their backlog must hold nobody up."""

_COLUMNS = (
    "priority", "match_type", "match_string", "trap_oid", "syslog_severity", "prod_handling", "dev_handling",
    "team_assignment",
)  # fmt: skip


@dataclass
class Arena:
    """Servers with `count` events of `rules` on TOPIC."""

    stack: Stack
    rules: list[dict[str, Any]]
    count: int

    @property
    def bootstrap(self) -> str:
        return self.stack.kafka.bootstrap

    @property
    def rules_file(self) -> Path:
        path = self.stack.layout.home / "rules.json"
        if not path.exists():
            path.write_text(json.dumps(self.rules))
        return path

    async def fresh(self, **config: object) -> Database:
        """A new database with the rules and this configuration."""
        database = await new_database(self.stack)
        rows = [tuple(rule.get(name) for name in _COLUMNS) for rule in self.rules]
        await database.pool.copy_records_to_table("alert_rules", records=rows, columns=_COLUMNS)
        await configure(database.pool, UNPRESSED | config)
        return database

    def settings(self, database: Database, **changes: Any) -> Settings:
        return replace(self.stack.settings, database_url=database.settings.database_url, **changes)

    def fill(self, count: int) -> None:
        """Topics anew, `count` events on TOPIC, the same every time."""
        empty_topics(self.stack)
        produce(self.bootstrap, TOPIC, events(self.rules, count), **{"linger.ms": 20, "compression.type": "lz4"})
        self.count = count

    def clear(self) -> None:
        end_workers(self.stack)


def events(rules: list[dict[str, Any]], count: int) -> Iterator[tuple[bytes, bytes]]:
    """`count` events; beyond 200,000 they come round again."""
    return itertools.islice(itertools.cycle(workload.events(min(count, 200_000), rules)), count)


async def configure(pool: asyncpg.Pool, values: dict[str, object]) -> None:
    """Sets dynamic keys in one transaction: thresholds must agree with each other."""
    rows = [(key, json.dumps(value)) for key, value in values.items()]
    async with pool.acquire() as connection, connection.transaction():
        await connection.executemany("INSERT INTO dynamic_config (key, value) VALUES ($1, $2)", rows)


async def audit_rows(pool: asyncpg.Pool) -> list[tuple[Any, ...]]:
    """The audit rows of a run, as a driver takes them for COPY."""
    columns = ", ".join(f'"{name}"' for name in AUDIT)
    return [tuple(row) for row in await pool.fetch(f"SELECT {columns} FROM audit", timeout=300)]


@contextmanager
def open_arena(home: Path, rule_count: int) -> Iterator[Arena]:
    """Starts PostgreSQL and Kafka with their default safety (fsync on) below `home`, and ends them."""
    stack = Stack(home)
    try:
        stack.postgres.start()
        stack.kafka.start()
        yield Arena(stack, workload.rules(rule_count), 0)
    finally:
        stack.stop_all()
        stack.layout.purge()
