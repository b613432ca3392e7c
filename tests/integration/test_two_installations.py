"""Two PostgreSQL servers share one Kafka: each takes the topics of its own prefix, and the books of both balance."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from ops.devstack.processes import Child
from ops.devstack.stack import Stack
from schemas.errors import BrokerUnavailable
from schemas.topics import TOPICS
from streams.adapters.brokers import check_brokers
from tests.builders import event_json
from tests.integration.burial import bury
from tests.integration.conftest import Database, ForkedStack, end_workers, new_database
from tests.integration.forwarding import Receiver, listening
from tests.integration.pipeline import add_rule, until
from tests.integration.topics import produce, read_all
from tests.programs import run_text

WORKERS = ("match-1", "forward-1", "dead-letters-1")


@dataclass(frozen=True)
class Installation:
    """Topics with a prefix, a database on a server of its own, and a receiver."""

    prefix: str
    stack: Stack
    database: Database
    receiver: Receiver

    def start(self, worker: str) -> Child:
        return self.stack.start_worker(worker, **self._settings)

    def mutt(self, *arguments: str) -> dict[str, Any]:
        """What a command says with --json; it must succeed."""
        environment = self.stack.environment(**self._settings)
        done = run_text("mutt", *arguments, "--json", environment=environment, within=120)
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    @property
    def _settings(self) -> dict[str, str]:
        return {
            "topic_prefix": self.prefix, "database_url": self.database.settings.database_url,
            "webhook_url": self.receiver.url,
        }  # fmt: skip

    def publish(self, topic: str, count: int, *, poisoned: int) -> None:
        """Events of twenty hosts, every other one alerting, and records that are none."""
        texts = ("link down", "link up")
        events = [event_json(hostname=f"{self.prefix}{n % 20}", message=f"{texts[n % 2]} {n}") for n in range(count)]
        records = [(event[:20], event) for event in events] + [(None, b"no event")] * poisoned
        produce(self.stack.kafka.bootstrap, f"{self.prefix}.{topic}", records)

    async def settled(self, count: int) -> None:
        """Waits until so many offsets are done with, and everything that came of them is where it belongs."""

        async def done() -> bool:
            row = await self.database.pool.fetchrow(
                "SELECT (SELECT coalesce(sum(next_offset), 0) FROM partition_progress) AS read,"
                " (SELECT count(*) FROM alerts WHERE state = 'pending' OR published_at IS NULL) AS waiting,"
                " (SELECT count(*) FROM dead_letters WHERE published_at IS NULL) AS unpublished"
            )
            return tuple(row) == (count, 0, 0)

        await until(done, f"{self.prefix} has settled {count} records", within=90)

    async def topics_in_tables(self) -> set[str]:
        rows = await self.database.pool.fetch(
            "SELECT topic FROM partition_progress UNION SELECT topic FROM ledger UNION SELECT topic FROM audit"
            " UNION SELECT topic FROM alerts UNION SELECT topic FROM dead_letters UNION SELECT topic FROM sli"
        )
        return {row["topic"] for row in rows}


@pytest.fixture(scope="module")
def another_postgres(kafka: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A second server, beside the same Kafka."""
    stack = ForkedStack(tmp_path_factory.mktemp("south"), fsync=False)
    stack.kafka = kafka.kafka
    stack.start_postgres()
    yield stack
    end_workers(stack)
    stack.postgres.kill()
    stack.layout.purge()


@pytest_asyncio.fixture
async def two(postgres: Stack, kafka: Stack, another_postgres: Stack) -> AsyncIterator[list[Installation]]:
    stacks = {"north": kafka, "south.site": another_postgres}
    async with AsyncExitStack() as parts:
        found = []
        for prefix, stack in stacks.items():
            receiver = await parts.enter_async_context(listening())
            found.append(Installation(prefix, stack, await new_database(stack), receiver))
        yield found
        for one in found:
            end_workers(one.stack)
            one.database.leave()
        groups = [f"{prefix}-{worker[:-2]}" for prefix in stacks for worker in WORKERS]
        await bury(kafka.kafka.bootstrap, *groups)


async def test_two_databases_share_the_load_by_topics_and_the_books_of_both_balance(two: list[Installation]) -> None:
    """The workers are there before their topics, which they wait for."""
    for one in two:
        for worker in WORKERS:
            one.start(worker)
    bootstrap = two[0].stack.kafka.bootstrap
    with pytest.raises(BrokerUnavailable, match=r"no topic elsewhere that .*; run: mutt topics create"):
        await check_brokers(bootstrap, ["elsewhere"])
    for one in two:
        created = await asyncio.to_thread(one.mutt, "topics", "create")
        assert {topic["name"] for topic in created["topics"]} == {f"{one.prefix}.{topic.purpose}" for topic in TOPICS}
        await add_rule(one.database.pool, "link down")
    north, south = two
    await asyncio.to_thread(north.publish, "ingest.syslog", 400, poisoned=3)
    await asyncio.to_thread(south.publish, "ingest.snmp", 240, poisoned=5)
    await north.settled(403)
    await south.settled(245)
    for one, alerts, letters in ((north, 200, 3), (south, 120, 5)):
        pool = one.database.pool
        raised = {str(row["id"]) for row in await pool.fetch("SELECT id FROM alerts")}
        assert len(raised) == alerts
        assert {post.identity for post in one.receiver.posts} == raised
        published = [
            json.loads(record.value())["id"] for record in read_all(one.stack.kafka.bootstrap, f"{one.prefix}.alerts")
        ]
        assert sorted(published) == sorted(raised)
        assert await pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'open'") == letters
        assert len(read_all(one.stack.kafka.bootstrap, f"{one.prefix}.dlq")) == letters
        assert {topic.partition(f"{one.prefix}.")[0] for topic in await one.topics_in_tables()} == {""}
        assert (await asyncio.to_thread(one.mutt, "ledger", "verify"))["ok"] is True
