"""What aiokafka's consumer knows of Kafka: whether brokers answer, and which partitions have more than was read.

Reads internals of aiokafka 0.14.0, which is pinned exactly. Only on the thread that runs the consumer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.client import ConnectionGroup

from streams.core.watchdog import Reach

SILENT_S = 10.0
"""A broker that owes an answer for this long does not answer."""


def reach_of(consumer: AIOKafkaConsumer) -> Reach:
    coordinator = consumer._coordinator
    if coordinator is None:
        return Reach()
    broker = _answers(consumer._client, coordinator.coordinator_id, ConnectionGroup.COORDINATION)
    return Reach(broker=broker, behind=dict(_behind(consumer)))


def _behind(consumer: AIOKafkaConsumer) -> Iterator[tuple[tuple[str, int], int]]:
    """What was fetched and waits for its turn is not behind: it is read when polls get there."""
    client, subscription = consumer._client, consumer._subscription.subscription
    if subscription is None or subscription.assignment is None:
        return
    for tp in subscription.assignment.tps:
        state = subscription.assignment.state_value(tp)
        if state.highwater is None or not state.has_valid_position or tp in consumer._fetcher._records:
            continue
        leader = client.cluster.leader_for_partition(tp)
        if state.position < state.highwater and _answers(client, leader, ConnectionGroup.DEFAULT):
            yield (tp.topic, tp.partition), state.position


def _answers(client: Any, node: int | None, group: int) -> bool:
    """Whether a connection is open and owes no answer for long."""
    connection = client._conns.get((node, group))
    if connection is None or not connection.connected():
        return False
    return not connection._requests or time.monotonic() - connection._last_action < SILENT_S
