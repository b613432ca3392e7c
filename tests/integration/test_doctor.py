"""`mutt doctor` on real servers: it finds each wrong setting, and says which server is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas.settings import Settings
from schemas.topics import ALERTS, PARKED, RAW, SYSLOG
from tests.integration.conftest import Database
from tests.integration.pipeline import until
from tests.integration.topics import produce_partitions
from tests.programs import bare_environment, run_text

THE_TESTS_OWN = {("fsync", "wrong")}
"""The servers of the tests do without it."""


async def ask(settings: Settings, *, code: int = 1) -> dict[str, Any]:
    environment = bare_environment(**settings.to_env())
    done = await asyncio.to_thread(run_text, "mutt", "doctor", "--json", environment=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout)) if code != 69 else {"error": done.stderr}


async def faults(settings: Settings) -> set[tuple[str, str]]:
    """What is not well, but for what holds of all tests: one broker, no fsync."""
    answer = await ask(settings)
    assert answer["ok"] is False
    found = [one for one in answer["findings"] if one["verdict"] != "ok" and one["says"] != "has one copy"]
    assert all(one["remedy"] for one in found)
    return {(one["subject"], one["verdict"]) for one in found} - THE_TESTS_OWN


async def test_what_is_wrong_is_found(broker: Stack, database: Database) -> None:
    assert await faults(database.settings) == set()
    bootstrap = broker.kafka.bootstrap
    await asyncio.to_thread(spoil_topics, bootstrap)
    name = database.settings.database_url.rpartition("/")[2]
    await database.pool.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    await database.pool.execute(
        "DELETE FROM schema_migrations WHERE number = (SELECT max(number) FROM schema_migrations)"
    )
    try:
        async with without_full_pages(database):
            assert await faults(database.settings) == {
                ("synchronous_commit", "wrong"), ("migrations", "wrong"), ("full_page_writes", "wrong"),
                (SYSLOG.name, "wrong"), (SYSLOG.name, "warning"), (RAW.name, "warning"), (ALERTS.name, "wrong"),
                (PARKED.name, "wrong"),
            }  # fmt: skip
    finally:
        await asyncio.to_thread(delete, bootstrap, SYSLOG.name, ALERTS.name, RAW.name)


def spoil_topics(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wrong = {
        SYSLOG.name: {"message.timestamp.type": "CreateTime", "retention.ms": "3600000"},
        ALERTS.name: {"max.message.bytes": "1000000"},
    }
    for topic, entries in wrong.items():
        changes = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in entries.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=changes)
        for answer in admin.incremental_alter_configs([resource]).values():
            answer.result(30)
    admin.create_partitions([NewPartitions(RAW.name, RAW.partitions + 1)])[RAW.name].result(30)
    delete(bootstrap, PARKED.name)


def delete(bootstrap: str, *topics: str) -> None:
    """The next test finds them new, as mutt makes them."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for answer in admin.delete_topics(list(topics), operation_timeout=30).values():
        answer.result(30)


@asynccontextmanager
async def without_full_pages(database: Database) -> AsyncIterator[None]:
    async def becomes(value: str) -> None:
        await database.pool.execute("SELECT pg_reload_conf()")

        async def so() -> bool:
            return str(await database.pool.fetchval("SHOW full_page_writes")) == value

        await until(so, f"full_page_writes is {value}")

    await database.pool.execute("ALTER SYSTEM SET full_page_writes = off")
    try:
        await becomes("off")
        yield
    finally:
        await database.pool.execute("ALTER SYSTEM RESET full_page_writes")
        await becomes("on")


async def test_a_ledger_that_is_ahead_of_its_log_and_one_behind_it(broker: Stack, database: Database) -> None:
    """As after a restore of Kafka or PostgreSQL to an older state."""
    bootstrap = broker.kafka.bootstrap
    await asyncio.to_thread(produce_partitions, bootstrap, RAW.name, [(p, b"h", b"line") for p in (0, 1, 1, 1)])
    await asyncio.to_thread(delete_before, bootstrap, RAW.name, 1, 2)
    await database.pool.executemany(
        "INSERT INTO partition_progress (topic, partition, next_offset) VALUES ($1, $2, $3)",
        [(RAW.name, 0, 9), (RAW.name, 1, 1), (RAW.name, 2, 0), ("mutt.ingest.gone", 0, 3)],
    )
    assert await faults(database.settings) == {
        (f"{RAW.name}:0", "wrong"), (f"{RAW.name}:1", "wrong"), ("mutt.ingest.gone:0", "wrong")
    }  # fmt: skip


def delete_before(bootstrap: str, topic: str, partition: int, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for answer in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
        answer.result(30)


async def test_a_server_that_is_away(broker: Stack, database: Database) -> None:
    away = f"127.0.0.1:{free_port()}"
    kafka = await ask(replace(database.settings, kafka_bootstrap=away), code=69)
    assert away in kafka["error"]
    nowhere = database.settings.database_url.replace(f":{broker.postgres.port}/", f":{free_port()}/")
    await ask(replace(database.settings, database_url=nowhere), code=69)


async def test_a_line_each_for_people(broker: Stack, database: Database) -> None:
    environment = bare_environment(**database.settings.to_env())
    done = await asyncio.to_thread(run_text, "mutt", "doctor", environment=environment)
    assert done.returncode == 1
    assert "wrong    fsync: fsync is off; turn it on" in done.stdout
    assert "ok       migrations: " in done.stdout
