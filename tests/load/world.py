"""The servers and workers a scenario runs on, and what it can do to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ops.devstack.layout import free_port
from ops.devstack.processes import Child
from ops.devstack.stack import Stack
from tests.integration.conftest import Database, empty_topics, end_workers, new_database
from tests.integration.load import Load
from tests.integration.pipeline import add_rule, configure, gauge
from tests.load.traffic import ALERTING_TEXT, QUIET_TEXT

BATCH, HELD = 250, 1000
MATCHERS = ("match-1", "match-2")
IN_FLIGHT = 16
"""Posts at once: with a delay of its answers the receiver takes so many a delay."""
FLOOR = 2
CONFIG = {
    "alerter_queue_hard_limit": "4000",
    "alerter_queue_shed_threshold": "200",
    "alerter_queue_warn_threshold": "150",
    "alerter_shed_mode": "defer",
    "alerter_shed_severity_floor": str(FLOOR),
    "moog_max_in_flight": str(IN_FLIGHT),
    "moog_rate_limit": "120",
    "moog_retry_base_delay": "0.1",
    "moog_retry_max_delay": "1",
    "circuit_breaker_threshold": "20",
    "circuit_breaker_timeout": "1",
}
"""Small thresholds: what happens at 2,000 waiting alerts in production happens here at 200."""


@dataclass
class World:
    """A running pipeline on a database and topics of its own."""

    stack: Stack
    database: Database
    config: dict[str, str]
    log_begins: int
    """Where this scenario's lines begin in the receiver's log."""
    ports: dict[str, int] = field(default_factory=dict)
    shed_max: int = 0
    """The highest shed threshold that was in force."""
    load: Load | None = None
    killed: set[str] = field(default_factory=set)
    """Workers that a scenario killed itself."""

    @property
    def bootstrap(self) -> str:
        return self.stack.kafka.bootstrap

    @property
    def workers(self) -> list[Child]:
        return [child for name, child in self.stack.children.items() if name in self.ports]

    @property
    def offered(self) -> int:
        """Events given to the producer so far."""
        return 0 if self.load is None else self.load.sent

    @property
    def matchers(self) -> list[str]:
        return [name for name in self.ports if name.startswith("match-")]

    @property
    def ended(self) -> list[str]:
        """Workers that ended by themselves, with the end of their logs."""
        return [
            f"{child.name} ended with status {child.process.returncode}: {child.tail(600)}"
            for child in self.workers
            if not child.running and child.name not in self.killed
        ]

    def start(self, name: str) -> Child:
        port = self.ports.setdefault(name, free_port())
        role = name.rpartition("-")[0]
        return self.stack.start_worker(
            name,
            database_url=self.database.settings.database_url,
            batch_records=BATCH,
            max_poll_records=BATCH,
            held_records=HELD,
            **{f"{role}_port": port},
        )

    async def set(self, **values: str) -> None:
        """Changes dynamic keys, one after the other."""
        self.config |= values
        self.shed_max = max(self.shed_max, int(self.config["alerter_queue_shed_threshold"]))
        for key, value in values.items():
            await configure(self.database.pool, key, value)

    async def thresholds(self, warn: int, shed: int) -> None:
        """One after the other, so that what is stored never contradicts itself."""
        keys = {"alerter_queue_warn_threshold": str(warn), "alerter_queue_shed_threshold": str(shed)}
        lower = shed < int(self.config["alerter_queue_shed_threshold"])
        await self.set(**dict(sorted(keys.items(), reverse=lower)))

    def kill(self, name: str) -> None:
        """As if its machine had gone."""
        self.killed.add(name)
        child = self.stack.children[name]
        child.process.kill()
        child.process.wait()

    async def pauses(self, name: str) -> int:
        """Partitions this worker has paused for the backlog."""
        gauge_name = 'mutt_partitions_paused{reason="backlog"}'
        return int(await asyncio.to_thread(gauge, self.ports[name], gauge_name))

    def receiver(self, **control: Any) -> None:
        """How the receiver answers from now on."""
        self.stack.control_sink(**control)

    def posts(self) -> list[dict[str, Any]]:
        """What the receiver got in this scenario, in order."""
        with self.stack.sink_log.open("rb") as log:
            log.seek(self.log_begins)
            return [json.loads(line) for line in log]


async def ready(world: World) -> bool:
    """Every partition of the ingest topics was taken up."""
    return bool(await world.database.pool.fetchval("SELECT count(*) FROM partition_progress") >= 24)


async def all_delivered(world: World) -> bool:
    return not await world.database.pool.fetchval("SELECT EXISTS (SELECT FROM alerts WHERE state = 'pending')")


@asynccontextmanager
async def world(stack: Stack, **changes: str) -> AsyncIterator[World]:
    """Fresh database and topics, rules, configuration, workers; everything of it ended afterwards."""
    empty_topics(stack)
    database = await new_database(stack)
    stack.control_sink()
    log = stack.sink_log
    made = World(stack, database, {}, log.stat().st_size if log.exists() else 0)
    try:
        await add_rule(database.pool, ALERTING_TEXT)
        await add_rule(database.pool, QUIET_TEXT, "Log_only")
        await made.set(**CONFIG | changes)
        for name in (*MATCHERS, "forward-1"):
            made.start(name)
        yield made
    finally:
        stack.control_sink()
        end_workers(stack)
        database.pool.terminate()
