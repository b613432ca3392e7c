"""A world for one scenario: a fresh database, empty topics, programs with a bug or without, the books at the end."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from ops.devstack.processes import Child
from ops.devstack.stack import Stack
from schemas.topics import TOPICS
from tests.chaos.checker import Report, Sources, checked
from tests.chaos.checker.watch import Sample, Watch
from tests.integration.burial import bury, members
from tests.integration.conftest import Database, _forget_groups, make_topics, new_database
from tests.integration.pipeline import settled, until

SYSLOG = "mutt.ingest.syslog"
GROUPS = {"match": "mutt-match", "forward": "mutt-forward", "dead-letters": "mutt-dead-letters"}
ENDS_WITHIN_S = 60.0
STALLS_FOR_S = 4.0
"""Where a bug stalls a run, nothing moves for so long, with every worker in its group, before that is believed."""


@dataclass(frozen=True)
class Record:
    """What is published: to one partition of the syslog topic."""

    value: bytes
    key: bytes = b"h1"
    partition: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()
    expect: str | None = None
    """What the producer knows to be wrong with it, as `rejected:REASON`."""


@dataclass
class World:
    """One scenario's; `bug` is planted in every program started in it."""

    stack: Stack
    database: Database
    bug: str | None
    stalls: bool
    posts_before: int
    """Bytes in the receiver's log that are another world's."""
    acked: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    looks: list[Sample] = field(default_factory=list)
    """Taken while the scenario ran."""
    started: dict[str, Child] = field(default_factory=dict)
    published: int = 0
    journals: int = 1
    """The newest counts; those before it tell of a log that is gone."""
    caps: dict[str, float] = field(default_factory=dict)
    """What figures sampled to `samples` may be at most."""
    canaries: tuple[str, ...] = ()
    """Secrets that must not be in any log, topic or table."""

    @property
    def pool(self) -> asyncpg.Pool:
        return self.database.pool

    @property
    def bootstrap(self) -> str:
        return self.stack.kafka.bootstrap

    # -- programs ---------------------------------------------------------------------------------------------

    def start(self, role: str, *, crash: str | None = None, condition: str | None = None, number: int = 1,
              **settings: Any) -> Child:  # fmt: skip
        """A program with the bug, if the world has one."""
        return self._start(role, f"{role}-{number}", (), crash, condition, settings)

    async def command(self, *arguments: str, crash: str | None = None) -> int:
        """Runs `mutt …` to its end; its status."""
        child = self._start("mutt", "command-1", arguments, crash, None, {})
        status: int = await asyncio.to_thread(child.process.wait, ENDS_WITHIN_S)
        assert crash or status == 0, child.tail()
        return status

    def _start(self, role: str, name: str, arguments: tuple[str, ...], crash: str | None, condition: str | None,
               settings: dict[str, Any]) -> Child:  # fmt: skip
        planted = "+".join(name for name in (self.bug, condition) if name)
        argv = [sys.executable, "-m", "tests.chaos.worker", role]
        argv += ["--crash", crash] if crash else []
        argv += ["--bug", planted] if planted else []
        argv += ["--", *arguments] if arguments else []
        settings["database_url"] = self.database.settings.database_url
        child = self.stack.spawn(f"{self.name}-{name}", argv, **settings)
        self.started[name] = child
        return child

    async def dies(self, role: str, *, crash: str) -> None:
        """A program that dies at a crash point; its group forgets it."""
        child = self.start(role, crash=crash)
        await asyncio.to_thread(child.process.wait, ENDS_WITHIN_S)
        assert f"dies at the crash point {crash.partition(':')[0]}" in child.tail(), child.tail()
        await self.forget(role)

    async def kill(self, child: Child) -> None:
        child.process.kill()
        await asyncio.to_thread(child.process.wait)
        await self.forget(child.name.split("-", 1)[1].rpartition("-")[0])

    async def forget(self, role: str) -> None:
        """The dead of a group hold no partition."""
        await bury(self.bootstrap, GROUPS[role])

    async def stop(self, child: Child) -> None:
        status = await asyncio.to_thread(child.stop)
        assert status == 0 or self.bug is not None, child.tail()

    # -- events -----------------------------------------------------------------------------------------------

    async def publish(self, records: Iterable[Record]) -> None:
        """Publishes to the syslog topic, and journals it."""
        await asyncio.to_thread(self._publish, list(records))

    def _publish(self, records: list[Record]) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "acks": "all", "linger.ms": 5})
        with self.journal.open("a", encoding="utf-8") as journal:

            def tell(**line: Any) -> None:
                journal.write(json.dumps(line) + "\n")

            def answered(number: int, error: Any, message: Any) -> None:
                if error is not None:
                    return tell(n=number, do="fail", why=str(error))
                self.acked[message.topic(), message.partition()].append(message.offset())
                return tell(n=number, do="ok", partition=message.partition(), offset=message.offset())

            for number, record in enumerate(records, self.published):
                tell(
                    n=number, at=time.time(), do="intent", topic=SYSLOG, key=_text(record.key),
                    value=_text(record.value), headers=[[name, _text(value)] for name, value in record.headers],
                    expect=record.expect,
                )  # fmt: skip
                producer.produce(
                    SYSLOG, record.value, key=record.key, partition=record.partition, headers=list(record.headers),
                    on_delivery=lambda error, message, number=number: answered(number, error, message),
                )  # fmt: skip
            assert producer.flush(60) == 0
        self.published += len(records)

    @property
    def journal(self) -> Path:
        return self.stack.layout.logs / f"{self.name}-journal-{self.journals}.jsonl"

    @property
    def samples(self) -> Path:
        return self.stack.layout.logs / f"{self.name}-samples.jsonl"

    @property
    def name(self) -> str:
        return self.database.settings.database_url.rpartition("/")[2]

    def sample(self, **figures: float) -> None:
        with self.samples.open("a", encoding="utf-8") as samples:
            samples.write(json.dumps({"at": time.time(), "worker": self.name} | figures) + "\n")

    # -- configuration and ends -------------------------------------------------------------------------------

    async def set(self, **values: object) -> None:
        """One transaction and one version for each key, which the checker counts; an upsert would count two."""
        for key, value in values.items():
            there = await self.pool.fetchval("SELECT true FROM dynamic_config WHERE key = $1", key)
            await self.pool.execute(_UPDATE if there else _INSERT, key, str(value))

    async def settle(self) -> None:
        """Waits until everything is processed and published; where a bug prevents that, until nothing moves."""
        await self._wait(lambda within: settled(self.pool, self.bootstrap, within=within))

    async def wait(self, condition: Callable[[], Awaitable[object]], what: str) -> None:
        """The same for a condition."""
        await self._wait(lambda within: until(condition, what, within=within))

    async def _wait(self, wait: Callable[[float], Awaitable[None]]) -> None:
        if not self.stalls:
            return await wait(ENDS_WITHIN_S)
        await until(self._all_joined, "every worker is in its group", within=ENDS_WITHIN_S)
        stood: object = None
        while (stands := await self.pool.fetchrow(_STANDS)) != stood:
            stood = stands
            try:
                return await wait(STALLS_FOR_S)
            except AssertionError:
                continue
        return None

    async def _all_joined(self) -> bool:
        """However slowly they start."""
        roles = [name.rpartition("-")[0] for name, child in self.started.items() if child.running]
        wanted = Counter(GROUPS[role] for role in roles if role in GROUPS)
        there = Counter(group for group, _ in await asyncio.to_thread(members, self.bootstrap, tuple(GROUPS.values())))
        return all(there[group] >= count for group, count in wanted.items())

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Watch]:
        """What is wrong with progress within is seen."""
        watch = Watch(self.database.dsn, self.bootstrap, every_s=0.2).start()
        try:
            yield watch
        finally:
            seen = await asyncio.to_thread(watch.stop)
            self.looks += seen.samples

    async def books(self) -> Report:
        """What is wrong, now that all is quiet, and what was while it was not."""
        posts = self.stack.layout.logs / f"{self.name}-received.jsonl"
        if self.forwards:
            posts.write_bytes(self._received())
        return await checked(
            Sources(
                dsn=self.database.dsn, bootstrap=self.bootstrap, receiver_logs=[posts] if self.forwards else [],
                journals=[self.journal] if self.journal.exists() else [], acked=self.acked, samples=self.looks,
                logs=[child.log for child in self.started.values()] if self.canaries else [], canaries=self.canaries,
                memory=[self.samples] if self.caps else [], caps=self.caps,
            )
        )  # fmt: skip

    def posts(self) -> list[dict[str, Any]]:
        """What the receiver got in this world, in order."""
        return [json.loads(line) for line in self._received().splitlines()]

    def _received(self) -> bytes:
        with self.stack.sink_log.open("rb") as log:
            log.seek(self.posts_before)
            return log.read()

    @property
    def forwards(self) -> bool:
        """Whether alerts are taken to the receiver in this world."""
        return any(name.startswith("forward-") for name in self.started)

    def end(self) -> None:
        for child in self.started.values():
            if child.running:
                child.process.kill()
                child.process.wait()


_STANDS = """
SELECT (SELECT sum(next_offset) FROM partition_progress), (SELECT count(published_at) FROM alerts),
       (SELECT count(published_at) FROM dead_letters), (SELECT sum(attempts) FROM alerts),
       (SELECT count(settled_at) FROM alerts)
"""
"""All of it only grows while something is done."""
_INSERT = "INSERT INTO dynamic_config (key, value) VALUES ($1, $2)"
_UPDATE = "UPDATE dynamic_config SET value = $2 WHERE key = $1"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@asynccontextmanager
async def world(stack: Stack, bug: str | None, *, stalls: bool = False) -> AsyncIterator[World]:
    """Fresh database and empty topics; programs of it are ended afterwards."""
    await asyncio.to_thread(empty, stack)
    database = await new_database(stack)
    made = World(stack, database, bug, stalls, stack.sink_log.stat().st_size)
    stack.control_sink()
    try:
        yield made
    finally:
        made.end()
        for role in {name.rpartition("-")[0] for name in made.started} & set(GROUPS):
            await made.forget(role)
        database.leave()


def empty(stack: Stack) -> None:
    """Deletes what lies on mutt's topics, and forgets its groups. Topics are made where they are missing."""
    admin = AdminClient({"bootstrap.servers": stack.kafka.bootstrap})
    there = admin.list_topics(timeout=30).topics
    make_topics(admin, (topic for topic in TOPICS if topic.name not in there))
    places = [TopicPartition(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
    ends = _ends(admin, places)
    full = [TopicPartition(at.topic, at.partition, end) for at, end in ends.items() if end > 0]
    for answer in (admin.delete_records(full) if full else {}).values():
        answer.result()
    _forget_groups(admin)


def _ends(admin: AdminClient, places: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Asks again while a topic that was just made has no leader."""
    tries = time.monotonic() + ENDS_WITHIN_S
    while True:
        try:
            asked = admin.list_offsets({place: OffsetSpec.latest() for place in places})
            return {at: end.result().offset for at, end in asked.items()}
        except KafkaException:
            if time.monotonic() > tries:
                raise
            time.sleep(0.1)
