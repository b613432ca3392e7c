"""Kafka as tests see it: confluent-kafka, none of the product's code."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

Headers = Sequence[tuple[str, bytes | None]]
NO_LEADER_YET = (
    "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_PARTITION", "_TIMED_OUT",
)  # fmt: skip
LEADER_S = 30.0


def produce(bootstrap: str, topic: str, records: Iterable[tuple[bytes | None, bytes | None]], **options: Any) -> None:
    """Publishes (key, value) pairs and waits until the broker has them all."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5} | options)
    failed: list[KafkaError] = []
    for key, value in records:
        producer.produce(topic, value, key=key, on_delivery=lambda error, _: failed.append(error) if error else None)
        producer.poll(0)
    assert producer.flush(60) == 0
    assert not failed


def produce_partitions(bootstrap: str, topic: str, records: Iterable[tuple[int, bytes, bytes]]) -> None:
    """Publishes (partition, key, value) and waits until the broker has them all."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5})
    failed: list[KafkaError] = []
    for partition, key, value in records:
        producer.produce(
            topic, value, key=key, partition=partition,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )  # fmt: skip
        producer.poll(0)
    assert producer.flush(60) == 0
    assert not failed


def produce_one(
    bootstrap: str, topic: str, value: bytes | None, *, key: bytes | None = None, partition: int = 0,
    headers: Headers = (),
) -> None:  # fmt: skip
    """Publishes one record to one partition."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "message.max.bytes": 4_500_000})
    failed: list[KafkaError] = []
    producer.produce(
        topic, value, key=key, partition=partition, headers=list(headers),
        on_delivery=lambda error, _: failed.append(error) if error else None,
    )  # fmt: skip
    assert producer.flush(60) == 0
    assert not failed


def read_all(bootstrap: str, topic: str) -> list[Message]:
    """Every record of a topic that is there now, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "test-reader", "enable.auto.commit": False,
         "fetch.message.max.bytes": 5_000_000, "fetch.wait.max.ms": 10}
    )  # fmt: skip
    try:
        return _read(consumer, topic)
    finally:
        consumer.close()


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The offset after the last record, by partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test-reader"})
    try:
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        return {p: bounds(consumer, TopicPartition(topic, p))[1] for p in partitions}
    finally:
        consumer.close()


def bounds(consumer: Consumer, at: TopicPartition) -> tuple[int, int]:
    """First offset and the one after the last; waits for the leader of a topic that is only just there."""
    end = time.monotonic() + LEADER_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(at, 10)
            return low, high
        except KafkaException as error:
            if error.args[0].name() not in NO_LEADER_YET or time.monotonic() >= end:
                raise
            time.sleep(0.1)


def _read(consumer: Consumer, topic: str) -> list[Message]:
    """Asks for all bounds before the first fetch, which would hold them up."""
    partitions = [TopicPartition(topic, number) for number in consumer.list_topics(topic, 10).topics[topic].partitions]
    found_bounds = {at.partition: bounds(consumer, at) for at in partitions}
    todo = {number: high for number, (low, high) in found_bounds.items() if low < high}
    consumer.assign([TopicPartition(topic, number, found_bounds[number][0]) for number in todo])
    found: list[Message] = []
    while todo:
        message = consumer.poll(10)
        assert message is not None, f"{topic} gives nothing in 10 s; still wanted: {todo}"
        assert message.error() is None, message.error()
        found.append(message)
        if message.offset() + 1 >= todo.get(message.partition(), -1):
            todo.pop(message.partition(), None)
    return sorted(found, key=lambda message: (message.partition(), message.offset()))
