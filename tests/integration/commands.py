"""Runs `mutt` as a person does, against the servers of a test, and reads topics with a client that is not mutt's."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from msgspec.structs import replace

from tests.integration.topics import bounds
from tests.programs import Command, bare_environment, run_text


def mutt(database: Any, broker: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_text("mutt", *arguments, environment=environment(database, broker))


def mutt_on_terminal(
    database: Any, broker: Any, *arguments: str, types: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """The same with a terminal on standard input, on which `types` is typed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, types.encode())
        terminal = Path(os.ttyname(theirs))
        return run_text("mutt", *arguments, given=terminal, environment=environment(database, broker) | environ)
    finally:
        os.close(ours)
        os.close(theirs)


def start_mutt(database: Any, broker: Any, *arguments: str) -> Command:
    """A command that goes on running; the caller ends it."""
    return Command("mutt", *arguments, environment=environment(database, broker))


def environment(database: Any, broker: Any) -> dict[str, str]:
    settings = replace(database.settings, kafka_bootstrap=broker.kafka.bootstrap)
    return bare_environment(**settings.to_env())


def log_end(broker: Any, topic: str, partition: int) -> int:
    consumer = Consumer({"bootstrap.servers": broker.kafka.bootstrap, "group.id": "tests"})
    try:
        return bounds(consumer, TopicPartition(topic, partition))[1]
    finally:
        consumer.close()


def read_from(broker: Any, topic: str, partition: int, offset: int) -> list[tuple[Any, Any, Any]]:
    """Key, value and headers of all records from `offset` on."""
    end = log_end(broker, topic, partition)
    consumer = Consumer({"bootstrap.servers": broker.kafka.bootstrap, "group.id": "tests", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, offset)])
    records: list[tuple[Any, Any, Any]] = []
    try:
        while offset + len(records) < end:
            message = consumer.poll(10)
            assert message is not None, f"{topic}:{partition} gives nothing at {offset + len(records)}"
            assert message.error() is None, message.error()
            records.append((message.key(), message.value(), message.headers()))
    finally:
        consumer.close()
    return records


def produce(broker: Any, topic: str, partition: int, *values: bytes) -> int:
    """Puts records on the partition; returns the offset after the last."""
    producer = Producer({"bootstrap.servers": broker.kafka.bootstrap})
    for value in values:
        producer.produce(topic, value, b"h1", partition)
    assert producer.flush(30) == 0
    return log_end(broker, topic, partition)
