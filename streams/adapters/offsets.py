"""What the brokers say about partitions: where their logs begin and end, and what a group committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

import stamina
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from streams.adapters.broker_access import Brokers, connection

PartitionId = tuple[str, int]

COORDINATOR_S = 15.0


@dataclass(frozen=True, slots=True)
class LogBounds:
    """First offset of the log, and the one after the last."""

    begin: int
    end: int


@asynccontextmanager
async def reader(brokers: Brokers) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer outside any group. Raises aiokafka's errors when no broker answers."""
    consumer = AIOKafkaConsumer(**connection(brokers), client_id="mutt")
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def log_bounds(brokers: Brokers, partitions: Collection[PartitionId]) -> dict[PartitionId, LogBounds]:
    """Bounds of the partitions that exist. Raises aiokafka's errors when no broker answers."""
    there = await _existing(brokers, partitions)
    if not there:
        return {}
    async with reader(brokers) as consumer:
        begin = await consumer.beginning_offsets(there)
        end = await consumer.end_offsets(there)
    return {(tp.topic, tp.partition): LogBounds(begin[tp], end[tp]) for tp in there}


async def first_timestamp_from(brokers: Brokers, partition: PartitionId, timestamp: int) -> int | None:
    """Broker time (ms) of the first record that is not older than `timestamp`; None where there is none."""
    async with reader(brokers) as consumer:
        tp = TopicPartition(*partition)
        found = (await consumer.offsets_for_times({tp: max(timestamp, 0)}))[tp]
        return None if found is None else int(found.timestamp)


async def committed_offsets(brokers: Brokers, group: str) -> dict[PartitionId, int]:
    """What the group committed, where it did. Waits a while for the coordinator of a broker that has just started."""
    async with _admin(brokers) as admin:
        async for attempt in stamina.retry_context(
            on=GroupCoordinatorNotAvailableError, attempts=None, timeout=COORDINATOR_S, wait_max=1.0
        ):
            with attempt:
                committed = await admin.list_consumer_group_offsets(group)
    return {(tp.topic, tp.partition): at.offset for tp, at in committed.items() if at.offset >= 0}


@asynccontextmanager
async def _admin(brokers: Brokers) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**connection(brokers), client_id="mutt")
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def partitions_of(brokers: Brokers, topics: Collection[str]) -> list[TopicPartition]:
    """All partitions of these topics, as far as they exist. Raises aiokafka's errors when no broker answers."""
    async with _admin(brokers) as admin:
        found = await admin.describe_topics(sorted(topics)) if topics else []
    return [TopicPartition(topic["topic"], one["partition"]) for topic in found for one in topic["partitions"]]


async def _existing(brokers: Brokers, partitions: Collection[PartitionId]) -> list[TopicPartition]:
    known = await partitions_of(brokers, {topic for topic, _ in partitions})
    return [TopicPartition(*place) for place in partitions if place in known]
