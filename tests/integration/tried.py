"""What a client of Kafka asks for that it may have no right to, and whether it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from ops.devstack.kafka import MIB
from schemas.topics import TOPICS
from streams.adapters.broker_access import BrokerAccess, connection

NAMES = [topic.name for topic in TOPICS]
SET = AlterConfigOpType.SET
REFUSALS = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})


def first_offset(opened: str, name: str) -> TopicPartition:
    """Where a record is, as the administrator finds it."""
    consumer = Consumer({"bootstrap.servers": opened, "group.id": "looks"})
    try:
        for number in consumer.list_topics(name, 60).topics[name].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(name, number), 60)
            if high > low:
                return TopicPartition(name, number, low)
    finally:
        consumer.close()
    raise AssertionError(f"{name} holds no record")


async def read_from(brokers: BrokerAccess, places: list[TopicPartition]) -> tuple[set[str], dict[str, int]]:
    """The topics whose record is in the answer, and what the answer says of each."""
    given, codes = set(), {}
    client = AIOKafkaClient(**connection(brokers))
    try:
        await client.bootstrap()
        [node] = client.cluster.brokers()
        for place in places:
            wanted = [(place.topic, [(place.partition, place.offset, MIB)])]
            answer = await client.send(node.nodeId, FetchRequest(60_000, 1, MIB, 0, wanted))
            [(topic, [(_, codes[topic], *_, records)])] = answer.topics
            given |= {topic} if b"tried" in (records or b"") else set()
    finally:
        await client.close()
    return given, codes


def would_change(admin: AdminClient) -> dict[str, set[str]]:
    """On which of mutt's topics each of the changes would be made."""
    kept = [NewPartitions(name, 64) for name in NAMES]
    configs = [
        ConfigResource(
            ResourceType.TOPIC, name, incremental_configs=[ConfigEntry("retention.ms", "1", incremental_operation=SET)]
        )
        for name in NAMES
    ]
    return {
        "delete": answered(admin.delete_topics(NAMES)),
        "empty": {each.topic for each in answered(admin.delete_records([TopicPartition(n, 0, -1) for n in NAMES]))},
        "create": answered(admin.create_topics([NewTopic(name, 1) for name in NAMES], validate_only=True)),
        "widen": answered(admin.create_partitions(kept, validate_only=True)),
        "configure": {each.name for each in answered(admin.incremental_alter_configs(configs, validate_only=True))},
    }


def moves(admin: AdminClient, group: str, topic: str) -> bool:
    """Whether it may set a group's position, on a topic that it may read if there is one."""
    place = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
    return bool(answered(admin.alter_consumer_group_offsets([place])))


def answered(futures: Mapping[Any, Any]) -> set[Any]:
    """What was not refused; the name of a topic that is there is taken, once one may make it."""
    return {asked for asked, future in futures.items() if not refused(future)}


def refused(future: Any) -> bool:
    """Fails on whatever is neither done nor refused for want of a right."""
    try:
        done = future.result(60)
    except KafkaException as error:
        if (code := error.args[0].code()) not in (*REFUSALS, KafkaError.TOPIC_ALREADY_EXISTS):
            raise
        return code in REFUSALS
    errors = [place.error for place in getattr(done, "topic_partitions", ()) if place.error is not None]
    assert {error.code() for error in errors} <= REFUSALS
    return bool(errors)
