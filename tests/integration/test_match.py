"""The match worker on real servers when the world misbehaves: logs that go back, groups that forget, no database."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import pytest_asyncio
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from ops.devstack.layout import free_port
from ops.devstack.processes import Child
from schemas.topics import topics_by_name
from tests.builders import event_json
from tests.chaos.checker import anomalies, committed_offsets
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.load import Load, rules_for_load
from tests.integration.pipeline import add_rule, gauge, settled, until
from tests.integration.topics import produce_one, read_all

TOPIC = "mutt.ingest.syslog"


def link_down(number: int) -> bytes:
    return event_json(message=f"link down {number}")


class Bench:
    """One system with a rule that alerts, and the few things every test does with it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.pool = system.database.pool
        self.bootstrap = system.stack.kafka.bootstrap
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap})

    async def send(self, *values: bytes | None, partition: int = 0) -> None:
        for value in values:
            await asyncio.to_thread(produce_one, self.bootstrap, TOPIC, value, key=b"h1", partition=partition)

    async def run(self, *values: bytes | None, partition: int = 0) -> None:
        """A worker that processes these records and stops."""
        await self.send(*values, partition=partition)
        worker = self.system.start("match-1")
        await self.settled()
        await self.stop(worker)

    async def settled(self, **options: Any) -> None:
        await settled(self.pool, self.bootstrap, **options)

    async def stop(self, worker: Child) -> None:
        assert await asyncio.to_thread(worker.stop) == 0, worker.tail()

    async def commit_to_kafka(self, offset: int, partition: int = 0) -> None:
        """What another tool could do to the group's offsets while no worker runs."""
        wanted = ConsumerGroupTopicPartitions("mutt-match", [TopicPartition(TOPIC, partition, offset)])
        (answer,) = self.admin.alter_consumer_group_offsets([wanted]).values()
        await asyncio.to_thread(answer.result)

    async def recreate_topic(self) -> None:
        """Deletes the topic and makes it anew, empty."""
        (gone,) = self.admin.delete_topics([TOPIC], operation_timeout=30).values()
        await asyncio.to_thread(gone.result)
        topic = topics_by_name()[TOPIC]

        async def made() -> bool:
            (answer,) = self.admin.create_topics([NewTopic(TOPIC, topic.partitions, 1, config=topic.config)]).values()
            refused = await asyncio.to_thread(answer.exception)
            assert refused is None or "ALREADY_EXISTS" in str(refused)
            return refused is None

        await until(made, "the topic is made anew")

    async def audited(self, partition: int = 0) -> list[int]:
        rows = await self.pool.fetch(
            'SELECT "offset" FROM audit WHERE topic = $1 AND partition = $2 ORDER BY "offset"', TOPIC, partition
        )
        return [row["offset"] for row in rows]

    async def halted(self, partition: int = 0) -> str:
        """Waits until the partition halts; its reason."""
        query = "SELECT halted_reason FROM partition_progress WHERE topic = $1 AND partition = $2"

        async def reason() -> object:
            return await self.pool.fetchval(query, TOPIC, partition)

        await until(reason, "the partition halts")
        return str(await reason())

    async def problems(self) -> list[Any]:
        return await anomalies(self.system.database.dsn, self.bootstrap)


@pytest_asyncio.fixture
async def bench(system: System) -> Bench:
    await add_rule(system.database.pool, "link down")
    return Bench(system)


async def test_I2_the_position_comes_from_our_tables_not_from_kafka(bench: Bench) -> None:
    """Offsets committed below, where redelivery starts, and far above, which must not skip anything."""
    await bench.send(*map(link_down, range(3)), partition=1)
    await bench.run(*map(link_down, range(3)))
    await bench.commit_to_kafka(0)
    await bench.commit_to_kafka(5, partition=1)
    await bench.send(*map(link_down, range(3, 6)), partition=1)
    await bench.run(*map(link_down, range(3, 6)))
    for partition in (0, 1):
        assert await bench.audited(partition) == [0, 1, 2, 3, 4, 5]
        assert committed_offsets(bench.bootstrap)[TOPIC, partition] == 6
    assert await bench.problems() == []


@pytest.mark.proves("broker.wrong")
async def test_I1_records_gone_from_the_log_are_recorded_as_missing(bench: Bench) -> None:
    await bench.run(link_down(0))
    await bench.send(*map(link_down, range(1, 6)))
    (answer,) = bench.admin.delete_records([TopicPartition(TOPIC, 0, 4)]).values()
    await asyncio.to_thread(answer.result)
    await bench.run(link_down(6))
    assert await bench.audited() == [0, 4, 5, 6]
    assert await bench.pool.fetchval("SELECT sum(missing)::int FROM ledger") == 3
    complete = await bench.pool.fetchrow(
        "SELECT sum(good)::int AS good, sum(total)::int AS total FROM sli WHERE component = 'audit'"
    )
    assert tuple(complete) == (4, 7)
    assert await bench.problems() == []


@pytest.mark.proves("broker.cut")
async def test_a_recreated_topic_halts_until_an_operator_resets_it(bench: Bench) -> None:
    await bench.send(link_down(0), partition=1)
    await bench.run(*map(link_down, range(3)))
    await bench.recreate_topic()
    await bench.send(link_down(10))
    worker = bench.system.start("match-1")
    assert "the log ends at 1, below 3 where this partition stands" in await bench.halted()
    assert "recreated or truncated" in await bench.halted(1)
    await bench.send(link_down(11), partition=2)
    but = frozenset({(TOPIC, 0), (TOPIC, 1)})
    await bench.settled(but=but)
    assert await bench.audited(2) == [0]
    assert await bench.audited() == [0, 1, 2]
    where = ("--topic", TOPIC, "--partition", "0", "--to", "earliest", "--yes")
    reset = await asyncio.to_thread(mutt, bench.system.database, bench.system.stack, "ledger", "reset", *where)
    assert reset.returncode == 0, reset.stderr

    async def resumed() -> bool:
        return await bench.audited() == [0, 0, 1, 2]

    await until(resumed, "the partition goes on after its reset")
    await bench.stop(worker)


@pytest.mark.proves("broker.wrong")
async def test_a_log_of_the_same_length_that_is_another_halts(bench: Bench) -> None:
    await bench.run(*map(link_down, range(3)))
    await bench.recreate_topic()
    await bench.send(*map(link_down, range(10, 14)))
    worker = bench.system.start("match-1")
    assert "is not the one processed before: the log was replaced" in await bench.halted()
    assert await bench.audited() == [0, 1, 2]
    await bench.stop(worker)


async def test_I3_what_a_dead_predecessor_left_unpublished_is_published_under_its_ids(bench: Bench) -> None:
    await bench.run(link_down(0), b"{broken", link_down(1))
    before = {name: _by_id(bench, name) for name in ("mutt.alerts", "mutt.dlq")}
    for table in ("alerts", "dead_letters"):
        await bench.pool.execute(f"UPDATE {table} SET published_at = NULL")
    worker = bench.system.start("match-1")
    await bench.settled()
    await bench.stop(worker)
    for name, records in before.items():
        again = _by_id(bench, name)
        assert {key: values * 2 for key, values in records.items()} == again
    assert await bench.problems() == []


def _by_id(bench: Bench, topic: str) -> dict[bytes, list[bytes]]:
    """Values on a topic by the id they have."""
    found: dict[bytes, list[bytes]] = {}
    for message in read_all(bench.bootstrap, topic):
        value = message.value() or b""
        headers: dict[str, Any] = dict(message.headers() or [])
        found.setdefault(headers.get("mutt.dlq.id") or value, []).append(value)
    return found


_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.message LIKE '%poison%' THEN RAISE EXCEPTION 'no such value' USING ERRCODE = '22023'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.mark.proves("postgres.wrong")
async def test_rows_the_database_refuses_become_letters_and_the_rest_goes_on(bench: Bench) -> None:
    await bench.pool.execute(_REFUSE)
    values = [event_json(message=f"link down {'poison' if n in (3, 77, 199) else n}") for n in range(200)]
    await bench.run(*values)
    letters = await bench.pool.fetch('SELECT "offset", reason, detail, value FROM dead_letters ORDER BY "offset"')
    assert [(row["offset"], row["reason"]) for row in letters] == [(n, "database_value") for n in (3, 77, 199)]
    assert {row["detail"] for row in letters} == {"no such value"}
    assert len(await bench.audited()) == 197
    assert await bench.problems() == []


@pytest.mark.proves("postgres.kill", "postgres.restart")
async def test_I7_postgresql_away_means_wait(bench: Bench) -> None:
    """Killed with work in hand and back seconds later: no letter, no restart, everything processed."""
    load = Load(bench.bootstrap, 3000, 500.0)
    worker = bench.system.start("match-1")
    await bench.send(link_down(0))
    await bench.settled()
    load.start()
    postgres = bench.system.stack.postgres
    try:
        await _progress_beyond(bench, 300)
        await asyncio.to_thread(postgres.kill)
        await until(lambda: _says(worker, '"waiting"'), "the worker waits")
    finally:
        await asyncio.to_thread(postgres.start)
    await asyncio.to_thread(load.join)
    await bench.pool.expire_connections()
    await bench.settled()
    assert worker.running
    await bench.stop(worker)
    reasons = await bench.pool.fetch("SELECT DISTINCT reason FROM dead_letters")
    assert {row["reason"] for row in reasons} <= {"json", "line"}
    assert await anomalies(bench.system.database.dsn, bench.bootstrap, load.acked) == []


async def _progress_beyond(bench: Bench, offsets: int) -> None:
    async def moved() -> bool:
        done = await bench.pool.fetchval("SELECT sum(next_offset)::int FROM partition_progress")
        return int(done or 0) > offsets

    await until(moved, f"{offsets} records are processed")


async def _says(worker: Child, text: str) -> bool:
    return text in worker.tail(4000)


@pytest.mark.proves("worker.term")
async def test_SIGTERM_under_load_drains_in_time_and_repeats_nothing(bench: Bench) -> None:
    await rules_for_load(bench.pool)
    load = Load(bench.bootstrap, 4000, 1000.0, held=True)
    worker = bench.system.start("match-1")
    load.start()
    await _progress_beyond(bench, 500)
    begun = time.monotonic()
    await bench.stop(worker)
    assert time.monotonic() - begun < 10
    stood = await bench.pool.fetchval("SELECT sum(next_offset) FROM partition_progress")
    worker = bench.system.start("match-1")
    await _progress_beyond(bench, stood)
    await asyncio.to_thread(load.join)
    await bench.settled()
    await bench.stop(worker)
    assert await anomalies(bench.system.database.dsn, bench.bootstrap, load.acked) == []
    ids = _by_id(bench, "mutt.alerts")
    assert {len(values) for values in ids.values()} == {1}


async def test_members_that_come_and_go_under_load_lose_and_repeat_nothing(bench: Bench) -> None:
    await rules_for_load(bench.pool)
    load = Load(bench.bootstrap, 6000, 600.0)
    bench.system.start("match-1")
    load.start()
    await _progress_beyond(bench, 200)
    port = free_port()
    joined = bench.system.start("match-2", match_port=port)
    await until(lambda: _assigned(port), "the second member has partitions")
    await bench.stop(joined)
    joined = bench.system.start("match-2", match_port=port)
    await until(lambda: _assigned(port), "the second member has partitions again")
    await bench.stop(bench.system.stack.children["match-1"])
    await asyncio.to_thread(load.join)
    await bench.settled()
    await bench.stop(joined)
    assert await anomalies(bench.system.database.dsn, bench.bootstrap, load.acked) == []


async def _assigned(port: int) -> bool:
    return (await asyncio.to_thread(gauge, port, "mutt_partitions_assigned")) > 0


async def test_a_rule_changed_in_the_database_decides_within_a_second(bench: Bench) -> None:
    port = free_port()
    worker = bench.system.start("match-1", match_port=port)
    await bench.send(event_json(message="fan failed"))
    await bench.settled()
    assert await bench.audited() == []
    version = await asyncio.to_thread(gauge, port, "mutt_ruleset_version")
    rule = await add_rule(bench.pool, "fan failed")

    async def in_force() -> bool:
        return await asyncio.to_thread(gauge, port, "mutt_ruleset_version") > version

    await until(in_force, "the new rule is in force", within=1.0)
    await bench.send(event_json(message="fan failed"))
    await bench.settled()
    row = await bench.pool.fetchrow('SELECT "offset", rule_id, ruleset_version FROM audit')
    assert row is not None
    assert (row["offset"], row["rule_id"], row["ruleset_version"]) == (1, rule, version + 1)
    await bench.stop(worker)
