"""Scenarios of the match worker on real servers: a sequence each, in which some bugs show and right code does not.

Each ends with everything at rest; what is wrong then, and what was meanwhile, is the checker's to say.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from ops.devstack.processes import Child
from schemas.topics import topics_by_name
from tests.chaos.checker import committed_offsets
from tests.chaos.checker.watch import Watch
from tests.integration.pipeline import add_rule, settled, until
from tests.planted.events import alerting, mixed
from tests.planted.world import SYSLOG, World

STOPS_WITHIN_S = 10.0
"""How long two owners are watched, where a bug lets both write."""
ROOMY = {"alerter_queue_hard_limit": 10**8, "alerter_queue_shed_threshold": 10**7}


async def rules(world: World) -> None:
    """For `mixed` events; nothing is held back. A storm is five alike."""
    await world.set(**ROOMY, unhandled_threshold=5)
    await add_rule(world.pool, "link down")
    await add_rule(world.pool, "config saved", "Log_only")
    await add_rule(world.pool, "heartbeat", "Ignore")


async def bumpy(world: World) -> None:
    """PostgreSQL ends one transaction that writes letters; no more happens to anybody."""
    await rules(world)
    await world.pool.execute(REFUSED_ONCE)
    await world.publish(mixed(200))
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)


REFUSED_ONCE = """
CREATE SEQUENCE refusals;
CREATE FUNCTION refuse_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('refusals') <= 1 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refuse_once BEFORE INSERT ON dead_letters FOR EACH STATEMENT EXECUTE FUNCTION refuse_once();
"""


async def cut_after_commit(world: World) -> None:
    """The worker dies between its commit and what it publishes."""
    await rules(world)
    await world.publish(mixed(200))
    await world.dies("match", crash="committed")
    await world.publish(mixed(100, first=200))
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)


async def cut_in_commit(world: World) -> None:
    """The worker dies in its transaction, after the books and the audit."""
    await rules(world)
    await world.publish(mixed(200))
    await world.dies("match", crash="audit_copied")
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)


async def cut_before_commit(world: World) -> None:
    """The worker dies before it has written anything, and the rules are others when the next one begins."""
    await rules(world)
    await world.publish(mixed(200))
    await world.dies("match", crash="transaction_open")
    await world.pool.execute("UPDATE alert_rules SET prod_handling = 'Log_only'")
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)


async def locked(world: World) -> None:
    """Somebody holds the row of one partition, so that its batch cannot be committed for a while."""
    await rules(world)
    await world.publish(mixed(200))
    worker = world.start("match")
    await world.settle()
    async with world.pool.acquire() as connection, connection.transaction(), world.watched() as watch:
        await connection.execute("SELECT FROM partition_progress WHERE topic = $1 AND partition = 1 FOR UPDATE", SYSLOG)
        await world.publish(mixed(200, first=200))
        ends = {at: max(offsets) + 1 for at, offsets in world.acked.items() if at[1] != 1}
        await until(lambda: _committed(world, ends), "the other partitions are committed to Kafka")
        looks = len(watch.seen.samples)
        await until(lambda: _looked(watch, looks + 2), "somebody has looked since")
    await world.settle()
    await world.stop(worker)


async def _committed(world: World, ends: dict[tuple[str, int], int]) -> bool:
    now = await asyncio.to_thread(committed_offsets, world.bootstrap)
    return all(now.get(at, 0) >= end for at, end in ends.items())


async def _looked(watch: Watch, times: int) -> bool:
    return len(watch.seen.samples) >= times


async def meddled(world: World) -> None:
    """While no worker runs another tool commits offsets for its group, and records go from the log unread."""
    await rules(world)
    await world.publish(mixed(40))
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)
    gone = TopicPartition(SYSLOG, 1, max(world.acked[SYSLOG, 1]) + 4)
    await world.publish(mixed(200, first=40))
    world.acked[SYSLOG, 1] = [offset for offset in world.acked[SYSLOG, 1] if offset >= gone.offset]
    ends = [TopicPartition(*at, max(offsets) - 2) for at, offsets in world.acked.items()]
    admin = AdminClient({"bootstrap.servers": world.bootstrap})
    (moved,) = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions("mutt-match", ends)]).values()
    (trimmed,) = admin.delete_records([gone]).values()
    moved.result()
    trimmed.result()
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)


async def two_owners(world: World) -> None:
    """Two workers in groups of their own have every partition at the same time, and know nothing of each other."""
    await rules(world)
    workers = [world.start("match"), world.start("match", condition="own_group", number=2)]
    for worker in workers:
        await until(lambda worker=worker: _assigned(worker), f"{worker.name} has its partitions")
    for first in range(0, 600, 60):
        await world.publish(mixed(60, first=first))
    if world.bug is None:
        await world.settle()
    else:
        with suppress(AssertionError):  # one that writes over the other's place may stop both
            await settled(world.pool, world.bootstrap, within=STOPS_WITHIN_S)
    for worker in workers:
        await world.stop(worker)


async def _assigned(worker: Child) -> bool:
    return '"event":"assigned"' in worker.log.read_text()


async def replaced_log(world: World) -> None:
    """The topic is deleted and made anew, and gets more records than it had; an operator resets what halts."""
    await rules(world)
    await until(lambda: asyncio.to_thread(_made_anew, world), "the topic begins at 0")
    await world.publish(alerting(20, hosts=1))
    [(topic, partition)] = world.acked
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)
    await until(lambda: asyncio.to_thread(_made_anew, world), "the topic is made anew")
    world.acked.clear()
    world.journals += 1
    await world.publish(alerting(30, first=1000, hosts=1))
    worker = world.start("match")
    if world.bug is None:
        await until(lambda: world.pool.fetchval(HALTED, topic, partition), "the partition halts")
        where = ("--topic", topic, "--partition", str(partition), "--to", "earliest", "--yes")
        await world.command("ledger", "reset", *where)
    await world.settle()
    await world.stop(worker)


HALTED = "SELECT halted_at IS NOT NULL FROM partition_progress WHERE topic = $1 AND partition = $2"


def _made_anew(world: World) -> bool:
    admin = AdminClient({"bootstrap.servers": world.bootstrap})
    topic = topics_by_name()[SYSLOG]
    for answer in admin.delete_topics([SYSLOG], operation_timeout=30).values():
        answer.exception()
    (made,) = admin.create_topics([NewTopic(SYSLOG, topic.partitions, 1, config=topic.config)]).values()
    return made.exception() is None


async def defect(world: World) -> None:
    """A defect of ours ends a lane, and with it the worker, which is started again as a supervisor would."""
    await rules(world)
    await world.publish(mixed(200))
    worker = world.start("match", condition="defect_once")
    try:
        await until(lambda: _ended(worker), "the worker ends", within=60 if world.bug is None else 6)
        await world.forget("match")
        worker = world.start("match")
    except AssertionError:
        assert world.bug is not None
    await world.settle()
    await world.stop(worker)


async def _ended(worker: Child) -> bool:
    return not worker.running


async def rules_changed(world: World) -> None:
    """The rule that most events match is changed, and events go on."""
    await rules(world)
    worker = world.start("match")
    await world.publish(mixed(100))
    await world.settle()
    await world.pool.execute("UPDATE alert_rules SET prod_handling = 'Log_only' WHERE match_string = 'link down'")
    version = await world.pool.fetchval("SELECT version FROM ruleset_version")
    await until(lambda: _says(worker, f'"version":{version},'), "the new rules are in force")
    await world.publish(mixed(100, first=100))
    await world.settle()
    await world.stop(worker)


async def _says(worker: Child, text: str) -> bool:
    return text in worker.tail(4000)
