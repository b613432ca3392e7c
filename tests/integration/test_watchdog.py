"""A worker that stands still ends with status 70 and says where it stands; one that waits rightly lives."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.group import LeaveGroupRequest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from ops.devstack.layout import free_port
from ops.devstack.processes import Child
from tests.builders import event_json
from tests.integration.conftest import System
from tests.integration.pipeline import configure, gauge, settled, until
from tests.integration.topics import produce

TIMES: Mapping[str, Any] = {"watchdog_timeout": 4.0, "webhook_timeout": 1.0, "session_timeout": 6.0}
"""Two seconds for the loops, four for polls and commits, eight for work, ten for a rebalance."""
LONGEST_S = 8.0


class Ground:
    """Workers with short times on a test's servers; ports of their own."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.pool = system.database.pool
        self.bootstrap = system.stack.kafka.bootstrap

    def broken(self, role: str, fault: str) -> Child:
        argv = [sys.executable, "-m", "tests.integration.broken_worker", role, fault]
        ports = {f"{name}_port": 0 for name in ("match", "forward", "dead_letters")}
        database = self.system.settings.database_url
        return self.system.stack.spawn(f"{role}-{fault}", argv, database_url=database, **ports, **TIMES)

    def start(self, worker: str, **settings: object) -> Child:
        return self.system.start(worker, **TIMES | settings)

    async def send(self, count: int) -> None:
        records = [(f"h{number}".encode(), event_json()) for number in range(count)]
        await asyncio.to_thread(produce, self.bootstrap, "mutt.ingest.syslog", records)

    async def settled(self) -> None:
        await settled(self.pool, self.bootstrap)


@pytest.fixture
def ground(system: System) -> Ground:
    return Ground(system)


def last_words(worker: Child) -> dict[str, Any]:
    lines = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
    words = [line for line in lines if line.get("event") == "stands still"]
    assert len(words) == 1, worker.tail()
    return dict(words[0])


async def given_up(*workers: Child) -> None:
    """Waits until the workers ended themselves."""

    async def ended() -> bool:
        return not any(worker.running for worker in workers)

    try:
        await until(ended, "the workers end themselves")
    except AssertionError as alive:
        raise AssertionError(f"{alive}; {[(each.name, each.tail()) for each in workers if each.running]}") from None
    assert [(worker.name, worker.process.returncode) for worker in workers] == [(each.name, 70) for each in workers]


def stood(worker: Child, words: str) -> None:
    assert words in last_words(worker)["stood_still"], worker.tail()


@pytest.mark.proves("worker.wrong")
async def test_blocked_frozen_or_out_of_the_group_ends_every_kind_of_worker(ground: Ground) -> None:
    """At once, in three groups: a blocked loop, a frozen consumer thread, a member that never comes back."""
    blocked = ground.broken("match", "block_the_loop")
    frozen = ground.broken("forward", "freeze_the_thread")
    gone = ground.broken("dead-letters", "leave_for_good")
    await given_up(blocked, frozen, gone)
    stood(blocked, "the event loop has not turned")
    stood(frozen, "the consumer's thread has not turned")
    stood(gone, "the worker has waited for its partitions")
    told = last_words(blocked)
    assert told["level"] == "critical"
    main = next(each["stack"] for each in told["threads"] if each["thread"] == "MainThread")
    assert "in block_the_loop: time.sleep(FOR_LONG_S)" in main[-1]
    assert any("_drain_messages" in line for each in last_words(gone)["tasks"] for line in each["stack"])


@pytest.mark.proves("worker.wrong")
async def test_polls_fetches_or_membership_that_stand_still_end_the_worker(ground: Ground) -> None:
    """The loops turn, yet nothing comes of it any more."""
    hung = ground.broken("dead-letters", "hang_polls")
    unfetched = ground.broken("forward", "stop_fetching")
    lost = ground.broken("match", "lose_membership")
    await given_up(hung, unfetched, lost)
    stood(hung, "no poll has ended")
    stood(unfetched, "was not read")
    stood(lost, "the worker has waited for its partitions")


async def test_a_member_that_is_put_out_of_the_group_joins_again_and_lives(ground: Ground) -> None:
    port = free_port()
    worker = ground.start("match-1", match_port=port)
    await until(lambda: _positive(port, "mutt_partitions_assigned"), "the worker has its partitions")
    before = await _member(ground)
    await _put_out(ground, before)

    async def back() -> bool:
        return await _member(ground) not in ("", before)

    await until(back, "the member joins again")
    await ground.send(10)
    await ground.settled()
    assert worker.running
    assert await asyncio.to_thread(worker.stop) == 0


@pytest.mark.proves("postgres.slow")
async def test_waiting_rightly_is_no_standstill(ground: Ground) -> None:
    """Idle; frozen whole and woken; paused by an operator; PostgreSQL slow, then away: each beyond the times."""
    ports = free_port(), free_port()
    match = ground.start("match-1", match_port=ports[0])
    idle = ground.start("dead-letters-1")
    forward = ground.start("forward-1", forward_port=ports[1])
    for port in ports:
        await until(partial(_positive, port, "mutt_partitions_assigned"), "the workers have their partitions")
    forward.process.send_signal(signal.SIGSTOP)
    await configure(ground.pool, "ingest_paused", "true")
    await until(partial(_positive, ports[0], 'mutt_partitions_paused{reason="operator"}'), "intake is paused")
    await ground.send(500)
    await lives(match, LONGEST_S + 3)
    forward.process.send_signal(signal.SIGCONT)
    assert await ground.pool.fetchval("SELECT count(*) FROM ledger") == 0
    async with ground.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE partition_progress")
        await configure(ground.pool, "ingest_paused", "false")
        await lives(match, LONGEST_S - 3)
    await ground.settled()
    await asyncio.to_thread(ground.system.stack.postgres.kill)
    try:
        await ground.send(500)
        await lives(match, LONGEST_S + 3)
    finally:
        await asyncio.to_thread(ground.system.stack.postgres.start)
    await ground.pool.expire_connections()
    await ground.settled()
    for worker in (match, idle, forward):
        assert await asyncio.to_thread(worker.stop) == 0, worker.tail()


async def lives(worker: Child, seconds: float) -> None:
    """Lets the time pass, in which the worker must not end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert worker.running, worker.tail()
        await asyncio.sleep(0.1)


async def _positive(port: int, name: str) -> bool:
    return await asyncio.to_thread(gauge, port, name) > 0


async def _member(ground: Ground) -> str:
    """The only member's id; nothing while there is none."""
    admin = AdminClient({"bootstrap.servers": ground.bootstrap})
    group = await asyncio.to_thread(admin.describe_consumer_groups(["mutt-match"])["mutt-match"].result)
    if group.state is not ConsumerGroupState.STABLE:
        return ""
    (member,) = group.members
    return str(member.member_id)


async def _put_out(ground: Ground, member: str) -> None:
    """What `kafka-consumer-groups` does: leaves the group in the member's name."""
    client = AIOKafkaClient(bootstrap_servers=ground.bootstrap)
    await client.bootstrap()
    try:
        node = client.get_random_node()
        answer = await client.send(node, LeaveGroupRequest("mutt-match", member))
        assert answer.error_code == 0
    finally:
        await client.close()
