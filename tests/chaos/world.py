"""The system under fire: real servers, and every worker, the API and the receiver reached through the proxy alone."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

from ops.devstack.layout import free_port
from ops.devstack.processes import Child, spawn
from tests.chaos.checker import moves
from tests.chaos.journal import Place, Sender
from tests.chaos.plan import MATCHERS, Plan
from tests.chaos.proxy import HOST, Link
from tests.chaos.stack import ChaosStack
from tests.chaos.traffic import record
from tests.integration.conftest import Database, empty_topics, new_database
from tests.integration.pipeline import add_rule, ask, configure

WORKERS = (*MATCHERS, "forward-1", "dead-letters-1")
START_S = 180.0
TRICKLE = 25.0
"""Records a second between the bursts."""
RECEIVER_MS = 20
"""The receiver takes its time, so that alerts are in flight."""
CONFIG = {
    "alerter_queue_hard_limit": str(10**8),
    "alerter_queue_shed_threshold": str(10**7),
    "moog_rate_limit": "2000",
    "moog_retry_base_delay": "0.2",
    "moog_retry_max_delay": "2",
    "circuit_breaker_timeout": "1",
    "remediation_interval": "3600",
}
"""Nothing is shed, and nothing waits for long: what is measured is what faults do."""
OUTAGE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
AT_CLOCK = "match-3"
"""The library that shows another time is taken in when a program starts, so this one is never forked."""


class World:
    """A running pipeline, and what faults need to know of it."""

    def __init__(self, stack: ChaosStack, database: Database, sender: Sender) -> None:
        self.stack = stack
        self.database = database
        self.sender = sender
        self.ports: dict[str, int] = {}
        self.wanted: set[str] = set()
        """Workers that nobody has killed just now."""
        self.ended: list[str] = []
        """Workers that ended by themselves, and were started again."""

    @property
    def pool(self) -> asyncpg.Pool:
        """Around the proxy."""
        return self.database.pool

    @property
    def links(self) -> Mapping[str, Link]:
        return self.stack.links

    # -- processes ------------------------------------------------------------------------------------------------

    def start(self, name: str) -> Child:
        role = name.rpartition("-")[0].replace("-", "_")
        port = self.ports.setdefault(name, free_port())
        self.wanted.add(name)
        if name != AT_CLOCK or self.stack.clock is None:
            return self.stack.start_worker(name, **{f"{role}_port": port})
        environment = self.stack.environment(match_port=port) | self.stack.clock.environment
        log = self.stack.layout.logs / f"{name}.log"
        self.stack.children[name] = spawn(name, self.stack.mutt("worker", role), log=log, environment=environment)
        return self.stack.children[name]

    def child(self, name: str) -> Child:
        return self.stack.children[{"receiver": "sink"}.get(name, name)]

    def kill(self, name: str) -> None:
        """kill -9, as if its machine had gone."""
        self.wanted.discard(name)
        self.child(name).process.kill()
        self.child(name).process.wait()

    def start_again(self, name: str) -> None:
        """Starts what was killed, without waiting until it answers."""
        if name in WORKERS:
            self.start(name)
        else:
            self.stack.start_again({"receiver": "sink"}.get(name, name))

    def kill_postgres(self) -> None:
        """The server and every process of it, as if its machine had gone."""
        child = self.stack.postgres.child
        assert child is not None
        family = [child.pid, *_children(child.pid)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        child.process.wait()
        while any(_alive(pid) for pid in family):
            time.sleep(0.01)

    def start_server(self, name: str) -> None:
        """PostgreSQL or Kafka, once more; waits until it answers. Raises StackFailed."""
        server = self.stack.postgres if name == "postgres" else self.stack.kafka
        server.start(deadline_s=START_S)

    def look_after(self) -> None:
        """Starts workers again that ended by themselves, as a supervisor does."""
        for name in sorted(self.wanted):
            child = self.child(name)
            if not child.running:
                self.ended.append(f"{name} ended with status {child.process.returncode}: {child.tail(300)}")
                self.start(name)

    async def begun(self, *names: str) -> bool:
        """Whether these workers answer: from then on a signal ends them as it should, and not the interpreter."""
        try:
            for name in names:
                await asyncio.to_thread(ask, self.ports[name], "/health")
        except OSError:
            return False
        return True

    # -- what is in flight ----------------------------------------------------------------------------------------

    async def stands(self) -> dict[Place, int] | None:
        """Where each partition stands; None while the database does not answer."""
        try:
            rows = await self.pool.fetch("SELECT topic, partition, next_offset FROM partition_progress", timeout=5)
        except OUTAGE:
            return None
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def waiting(self) -> dict[Place, int]:
        """Where partitions stand that have confirmed records before them; none while the database does not answer."""
        ends, stands = self.sender.taken, await self.stands()
        return {at: stands.get(at, 0) for at, end in ends.items() if end > stands.get(at, 0)} if stands else {}

    async def still(self, since: Mapping[Place, int]) -> dict[Place, int]:
        """Those of these partitions that have not moved since."""
        stands = await self.stands()
        return dict(since) if stands is None else {at: was for at, was in since.items() if stands.get(at, 0) <= was}

    async def pending_alerts(self) -> int:
        try:
            return int(await self.pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'pending'", timeout=5))
        except OUTAGE:
            return 0

    def received(self) -> int:
        """Bytes of the receiver's log."""
        return self.stack.sink_log.stat().st_size if self.stack.sink_log.exists() else 0


async def poll(condition: Callable[[], Awaitable[Any]], within: float, every: float = 0.005) -> Any:
    """What the condition gives as soon as it is true; what it gave last when the time is over."""
    end = time.monotonic() + within
    while not (found := await condition()) and time.monotonic() < end:
        await asyncio.sleep(every)
    return found


@asynccontextmanager
async def world(stack: ChaosStack, plan: Plan) -> AsyncIterator[World]:
    """Fresh database and topics, rules, every program started, and a producer that has begun."""
    empty_topics(stack)
    database = await new_database(stack)
    stack.database_url = database.settings.database_url
    await moves.install(database.dsn)
    await _rules(database.pool)
    sender = Sender(
        f"{HOST}:{stack.links['kafka'].port}",
        stack.layout.home / "journal.jsonl",
        lambda n: record(plan.seed, n),
        trickle=TRICKLE,
    )
    made = World(stack, database, sender)
    stack.control_sink(delay_ms=RECEIVER_MS)
    try:
        for name in WORKERS:
            made.start(name)
        await asyncio.to_thread(stack.start_api)
        stack.links["api"].target = stack.api_port
        sender.start()
        yield made
    finally:
        database.pool.terminate()


async def _rules(pool: asyncpg.Pool) -> None:
    for key, value in CONFIG.items():
        await configure(pool, key, value)
    await add_rule(pool, "link down")
    await add_rule(pool, "fan [0-9]+ (failed|stopped)", "Page_only", match_type="regex")
    await add_rule(pool, "config saved", "Log_only")
    await add_rule(pool, "heartbeat", "Ignore")


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(entry.parent.name))
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
