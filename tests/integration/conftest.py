"""Real servers for tests: one Kafka and one PostgreSQL a session, a fresh database and empty topics a test."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from msgspec.structs import replace

from ops.devstack.openbao import OpenBao
from ops.devstack.processes import Child, wait_until
from ops.devstack.provision import create_database
from ops.devstack.stack import Stack
from schemas.secret_names import DB_PASSWORD
from schemas.settings import Settings
from schemas.topics import TOPICS, Topic
from streams.adapters.database import connect, create_pool
from streams.adapters.migrations import migrate
from streams.adapters.secrets import FileSecrets
from tests.integration.burial import bury
from tests.integration.vault import Vault
from tests.programs import MEASURED, Surroundings, start_module

_TEMPLATE = "mutt_template"
_numbers = itertools.count(1)
_prepared: set[str] = set()
"""Servers that have the template."""
_left: set[str] = set()
"""Addresses of databases that nobody needs any more; the next one to be made on their server takes their place."""

GROUPS = ("mutt-match", "mutt-forward", "mutt-dead-letters")


LONG = (
    "stack", "console_browser", "rolling_upgrade", "secured", "rule_bad_inputs", "retention", "demo_books",
    "backpressure", "match", "corpus", "bombs", "searches", "snmp_bridge", "broker_rights", "watchdog", "secrets",
    "alerting", "bad_inputs", "rules_source", "demo", "dashboards", "rsyslog", "dlq", "checker_whole", "kills",
)  # fmt: skip
"""Files that take longest: they begin first, so that the processes that share the files end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)
    turn = {f"test_{name}.py": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: turn.get(item.path.name, len(turn)))


class ForkedStack(Stack):
    """A stack whose programs are forked (`tests/programs.py`), for there are many starts; servers are as they are."""

    forks = True
    """False: programs start as a person starts them, with arguments and environment of their own."""

    def spawn(self, name: str, argv: Sequence[str | os.PathLike[str]], **settings: Any) -> Child:
        if not self.forks:
            return super().spawn(name, argv, **settings)
        interpreter, option, module, *arguments = [os.fspath(part) for part in argv]
        assert (interpreter, option) == (sys.executable, "-m")
        log = self.layout.logs / f"{name}.log"
        surroundings = Surroundings(self.environment(**settings), output=log, errors=log, own_session=True)
        process = start_module(module, *arguments, surroundings=surroundings)
        self.children[name] = Child(name, cast(Any, process), log)
        return self.children[name]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The servers' folder; nothing runs until `postgres` or `kafka` is asked for."""
    stack = ForkedStack(tmp_path_factory.mktemp("stack") / "a folder with spaces", fsync=False)
    yield stack
    end_workers(stack)
    stack.kafka.kill()  # nobody needs what they would tidy up
    stack.postgres.kill()
    stack.stop_all()
    stack.layout.purge()


@pytest.fixture(scope="session")
def postgres(stack: Stack) -> Stack:
    """The stack with PostgreSQL running."""
    stack.start_postgres()
    return stack


@pytest.fixture(scope="session")
def kafka(stack: Stack) -> Stack:
    """The stack with Kafka running."""
    stack.start_kafka()
    return stack


@pytest.fixture(scope="session")
def openbao(stack: Stack) -> Iterator[OpenBao]:
    """A server in memory with mutt's policies and roles, and no secret yet; only who asks for it starts it."""
    server = OpenBao(stack.layout, kept=False)
    server.start()
    server.provide({})
    yield server
    server.kill()


@pytest.fixture
def vault(openbao: OpenBao) -> Vault:
    """The same, empty again and unsealed."""
    vault = Vault(openbao)
    vault.empty()
    return vault


@dataclass
class Database:
    """A fresh migrated database."""

    settings: Settings
    secrets: FileSecrets
    pool: asyncpg.Pool

    @property
    def dsn(self) -> str:
        """With the password, for checks that use no product code."""
        password = self.secrets.get(DB_PASSWORD)
        assert password is not None
        return self.settings.database_url.replace("://mutt@", f"://mutt:{password.reveal()}@")

    def leave(self) -> None:
        """Nobody needs it any more, whatever state its server is in."""
        self.pool.terminate()
        _left.add(self.settings.database_url)


@pytest_asyncio.fixture
async def database(postgres: Stack) -> AsyncIterator[Database]:
    fresh = await new_database(postgres)
    yield fresh
    fresh.leave()


async def new_database(stack: Stack) -> Database:
    """A fresh migrated database; its pool belongs to the loop that runs now."""
    name = await _fresh_database(stack)
    settings = replace(stack.settings, database_url=stack.settings.database_url.rpartition("/")[0] + f"/{name}")
    secrets = FileSecrets(settings.secrets_dir)
    return Database(settings, secrets, await create_pool(settings, secrets, size=10))


async def _fresh_database(stack: Stack) -> str:
    """A copy of a migrated template, which each server gets once."""
    base = stack.settings.database_url.rpartition("/")[0]
    secrets = FileSecrets(stack.settings.secrets_dir)
    if base not in _prepared:
        _prepared.add(base)
        await create_database(stack.settings, _TEMPLATE)
        connection = await connect(replace(stack.settings, database_url=f"{base}/{_TEMPLATE}"), secrets)
        await migrate(connection)
        await connection.close()
    name = f"test_{next(_numbers)}"
    connection = await connect(replace(stack.settings, database_url=f"{base}/postgres"), secrets)
    for left in [address for address in _left if address.startswith(f"{base}/")]:
        await connection.execute(f'DROP DATABASE IF EXISTS "{left.rpartition("/")[2]}" WITH (FORCE)', timeout=60)
        _left.discard(left)
    # Copied as files: through the log, which is the default, it is three times the work.
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_TEMPLATE}" STRATEGY file_copy', timeout=60)
    await connection.close()
    return name


@pytest.fixture
def broker(kafka: Stack) -> Stack:
    """Kafka with every topic of mutt new and empty, and no consumer group of mutt."""
    empty_topics(kafka)
    return kafka


def empty_topics(kafka: Stack) -> None:
    """Makes every topic of mutt anew that is missing or was written to, and forgets the consumer groups."""
    admin = AdminClient({"bootstrap.servers": kafka.kafka.bootstrap})
    untouched = _untouched(admin)
    used = [topic for topic in TOPICS if topic not in untouched]
    if used:
        _settle(admin.delete_topics([topic.name for topic in used], operation_timeout=30), "UNKNOWN_TOPIC_OR_PART")
    _forget_groups(admin)
    make_topics(admin, used)
    if used:  # until it has heard of them, a broker may take records for topics that are no more
        wait_until(lambda: len(_untouched(admin)) == len(TOPICS), what="a broker with empty topics")


def make_topics(admin: AdminClient, topics: Iterable[Topic]) -> None:
    """Makes topics that are missing; one that is still being deleted is asked for again."""
    wanted = {t.name: NewTopic(t.name, t.partitions, 1, config=t.config) for t in topics}
    while wanted:
        answers = admin.create_topics(list(wanted.values()), operation_timeout=30)
        again = {name for name, answer in answers.items() if _settle({name: answer}, "TOPIC_ALREADY_EXISTS")}
        there = admin.list_topics(timeout=30).topics if again else {}
        wanted = {name: wanted[name] for name in again if name not in there}


def _untouched(admin: AdminClient) -> list[Topic]:
    """The topics that are there with all their partitions, to which nothing was ever written."""
    there = {name: len(found.partitions) for name, found in admin.list_topics(timeout=30).topics.items()}
    whole = [topic for topic in TOPICS if there.get(topic.name) == topic.partitions]
    ends = admin.list_offsets(
        {TopicPartition(t.name, p): OffsetSpec.latest() for t in whole for p in range(t.partitions)}
    )
    written = {at.topic for at, end in ends.items() if end.exception() or end.result().offset}
    return [topic for topic in whole if topic.name not in written]


def _forget_groups(admin: AdminClient) -> None:
    while True:
        try:
            _settle(
                admin.delete_consumer_groups(list(GROUPS), request_timeout=10), "GROUP_ID_NOT_FOUND", "NON_EMPTY_GROUP"
            )
            return
        except KafkaException as error:
            if error.args[0].name() not in ("COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR", "_TIMED_OUT"):
                raise  # the broker has only just started


def _settle(answers: Mapping[str, Future[object]], *tolerated: str) -> bool:
    """Waits for an admin request; whether an error that is tolerated came."""
    met = False
    for answer in answers.values():
        try:
            answer.result()
        except KafkaException as error:
            if error.args[0].name() not in tolerated:
                raise
            met = True
    return met


@dataclass
class System:
    """Database, empty topics, receiver: everything to run workers on."""

    stack: Stack
    database: Database

    @property
    def settings(self) -> Settings:
        return self.database.settings

    def start(self, worker: str, **settings: object) -> Child:
        """A worker by name (`match-1`, `forward-1`, …) as a process of its own, on this test's database."""
        return self.stack.start_worker(worker, database_url=self.settings.database_url, **settings)

    def environment(self) -> dict[str, str]:
        return self.stack.environment(database_url=self.settings.database_url)


@pytest_asyncio.fixture
async def system(broker: Stack, database: Database) -> AsyncIterator[System]:
    yield System(broker, database)
    end_workers(broker)
    if broker.kafka.child is not None and broker.kafka.child.running:
        await bury(broker.kafka.bootstrap, *GROUPS)


def end_workers(stack: Stack) -> None:
    """Ends what a test left running; where branches are measured by asking, for what is killed tells nothing."""
    for child in list(stack.children.values()):
        if child.running and child.name != "sink":
            if MEASURED:
                child.stop()
            child.process.kill()
            child.process.wait()
