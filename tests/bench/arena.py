"""The ring all contestants run in: real servers, filled topics, a fresh database a run."""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from ops.devstack.layout import free_port
from ops.devstack.processes import Child
from ops.devstack.stack import Stack
from schemas.rows import AUDIT
from schemas.topics import SYSLOG
from tests.bench import workload
from tests.integration.conftest import Database, empty_topics, end_workers, new_database
from tests.integration.topics import end_offsets, produce

TOPIC = SYSLOG.name
RULES = 1_000
UNPRESSED = {
    "alerter_queue_warn_threshold": 10**7 - 2,
    "alerter_queue_shed_threshold": 10**7 - 1,
    "alerter_queue_hard_limit": 10**8,
}
"""Where nothing forwards alerts, their backlog must hold nobody up."""
BELOW_CLIENTS = (20_000, 32_000)
"""Ports that systems do not give to outgoing connections."""
DIFFERENT = 200_000
"""Events that differ; a longer backlog has them again and again."""

Record = tuple[bytes | None, bytes | None]
Rules = Sequence[Mapping[str, Any]]


@dataclass
class Arena:
    """Servers, the workload's rules, and what lies on the topics now."""

    stack: Stack
    rules: Rules
    ends: dict[str, dict[int, int]] = field(default_factory=dict)
    """Of each filled topic the offset after the last record, by partition."""
    _made: list[Record] = field(default_factory=list)

    @property
    def bootstrap(self) -> str:
        return self.stack.kafka.bootstrap

    @staticmethod
    def free_port() -> int:
        """A free port that no client is given by chance before its worker has it."""
        candidates = (random.randrange(*BELOW_CLIENTS) for _ in range(1000))
        return next(port for port in candidates if free_port(port) == port)

    # -- topics -----------------------------------------------------------------------------------------------

    def events(self, count: int) -> Iterator[Record]:
        """The workload, the same every time."""
        if len(self._made) < min(count, DIFFERENT):
            self._made = list(workload.events(min(count, DIFFERENT), self.rules))
        return itertools.islice(itertools.cycle(self._made), count) if count else iter(())

    def fill(self, count: int) -> None:
        """Topics anew, `count` events on TOPIC."""
        self.fill_topics({TOPIC: self.events(count)})

    def fill_topics(self, records: Mapping[str, Iterable[Record]]) -> None:
        """Topics anew, with these records."""
        empty_topics(self.stack)
        self.ends = {}
        for topic, found in records.items():
            self.add(topic, found)

    def add(self, topic: str, records: Iterable[Record]) -> None:
        produce(self.bootstrap, topic, records, **{"linger.ms": 20, "compression.type": "lz4"})
        self.ends[topic] = end_offsets(self.bootstrap, topic)

    def on(self, topic: str) -> int:
        """How many records lie on a topic that was filled."""
        return sum(self.ends[topic].values())

    # -- one run ----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def database(
        self, *, rules: Rules | None = None, topic: str | None = None, **config: object
    ) -> AsyncIterator[Database]:
        """A new database with rules and configuration; afterwards whoever ran on it is ended, and it is dropped.

        With `topic` workers find all other topics done.
        """
        database = await new_database(self.stack)
        try:
            await add_rules(database.pool, self.rules if rules is None else rules)
            await configure(database.pool, UNPRESSED | config)
            others = [
                (name, *at) for name, ends in self.ends.items() if topic not in (None, name) for at in ends.items()
            ]
            await database.pool.copy_records_to_table(
                "partition_progress", records=others, columns=("topic", "partition", "next_offset")
            )
            yield database
        finally:
            self.end_all()
            database.pool.terminate()
            await self._drop(database)

    def match(self, database: Database, name: str = "match-1", **settings: Any) -> Child:
        """A match worker."""
        return self.stack.start_worker(name, database_url=database.settings.database_url, **settings)

    def module(self, name: str, *arguments: str, python: str = sys.executable, **settings: Any) -> Child:
        """A program of the bench as a child."""
        return self.stack.spawn(name.rpartition(".")[2], [python, "-m", f"tests.bench.{name}", *arguments], **settings)

    def rules_file(self) -> str:
        path = self.stack.layout.home / "rules.json"
        if not path.exists():
            path.write_text(json.dumps(self.rules))
        return str(path)

    def end_all(self) -> None:
        """Whoever leaves says so: else the group waits for the dead one's session."""
        for name in [name for name in self.stack.children if name != "sink"]:
            self.stack.children.pop(name).stop()

    async def _drop(self, database: Database) -> None:
        """Its dirty pages must not be written out under the next run."""
        base, _, name = database.dsn.rpartition("/")
        connection = await asyncpg.connect(f"{base}/postgres", timeout=60)
        try:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)', timeout=120)
            await connection.execute("CHECKPOINT", timeout=120)
        finally:
            await connection.close()


async def add_rules(pool: asyncpg.Pool, rules: Rules) -> None:
    rows = [tuple(rule.get(name) for name in workload.COLUMNS) for rule in rules]
    await pool.copy_records_to_table("alert_rules", records=rows, columns=workload.COLUMNS, timeout=120)


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
def open_arena(home: Path) -> Iterator[Arena]:
    """Starts PostgreSQL and Kafka with their default safety (fsync on) below `home`, and ends them."""
    stack = Stack(home)
    try:
        stack.postgres.start()
        stack.kafka.start()
        yield Arena(stack, workload.rules(RULES))
    finally:
        end_workers(stack)
        stack.stop_all()
        stack.layout.purge()
