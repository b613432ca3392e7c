"""What aiokafka's consumer knows of Kafka: whether brokers answer, and whether partitions are read.

Reads internals of aiokafka 0.14.0, which is pinned exactly. Only on the thread that runs the consumer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.group import JoinGroupRequest

from streams.core.watchdog import Reach

SILENT_S = 10.0
"""A broker that owes an answer for this long does not answer."""


def reach_of(consumer: AIOKafkaConsumer) -> Reach:
    coordinator = consumer._coordinator
    if coordinator is None:
        return Reach()
    connection = _answering(consumer._client, coordinator.coordinator_id, ConnectionGroup.COORDINATION)
    return Reach(
        broker=connection is not None,
        member=coordinator.member_id != JoinGroupRequest.UNKNOWN_MEMBER_ID,
        reading=dict(_reading(consumer)),
    )


def _reading(consumer: AIOKafkaConsumer) -> Iterator[tuple[tuple[str, int], int]]:
    """What was fetched moves its position when it is read; the rest is fetched again and again from its leader."""
    client, subscription = consumer._client, consumer._subscription.subscription
    if subscription is None or subscription.assignment is None:
        return
    for tp in subscription.assignment.tps:
        if tp in consumer._fetcher._records:
            yield (tp.topic, tp.partition), subscription.assignment.state_value(tp)._position or 0
        elif leader := _answering(client, client.cluster.leader_for_partition(tp), ConnectionGroup.DEFAULT):
            yield (tp.topic, tp.partition), int(leader._last_action * 1000)


def _answering(client: Any, node: int | None, group: int) -> Any | None:
    """The node's connection, where it is open and no answer is owed for long."""
    connection = client._conns.get((node, group))
    if connection is None or not connection.connected():
        return None
    owed = connection._requests and time.monotonic() - connection._last_action > SILENT_S
    return None if owed else connection
