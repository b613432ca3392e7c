"""Kafka as the checker reads it: whole partitions, offsets of groups; confluent-kafka alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from tests.chaos.checker.evidence import Headers, Log, Place, Record

T = TypeVar("T")
PATIENCE_S = 60.0
"""A broker that was only just started has no leaders for a while."""
NOT_YET = (
    "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_PARTITION", "_TIMED_OUT",
    "COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR", "_TRANSPORT", "_ALL_BROKERS_DOWN",
)  # fmt: skip


class Logs(Protocol):
    """Where the records of partitions come from."""

    def places(self, topics: Sequence[str]) -> list[Place]:
        """Every partition of these topics."""

    def log(self, place: Place) -> Log:
        """What lies there now."""

    def committed(self, group: str) -> Mapping[Place, int]:
        """The offsets a group committed."""


class Broker:
    """A running broker. Each read takes what is there at that moment."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "mutt-checker", "enable.auto.commit": False,
             "enable.partition.eof": True, "fetch.message.max.bytes": 8_000_000, "fetch.wait.max.ms": 10,
             "queued.max.messages.kbytes": 32_768}
        )  # fmt: skip

    def close(self) -> None:
        self._consumer.close()

    def places(self, topics: Sequence[str]) -> list[Place]:
        known = patiently(lambda: self._consumer.list_topics(timeout=10)).topics
        return [(topic, number) for topic in topics if topic in known for number in sorted(known[topic].partitions)]

    def bounds(self, place: Place) -> tuple[int, int]:
        """First offset, and the one after the last."""
        low, high = patiently(lambda: self._consumer.get_watermark_offsets(TopicPartition(*place), 10))
        return low, high

    def log(self, place: Place) -> Log:
        begin, end = self.bounds(place)
        return Log(begin, end, tuple(self._records(place, begin, end)) if begin < end else ())

    def committed(self, group: str) -> dict[Place, int]:
        return committed_offsets(self._bootstrap, group)

    def _records(self, place: Place, begin: int, end: int) -> Iterator[Record]:
        self._consumer.assign([TopicPartition(*place, begin)])
        deadline = time.monotonic() + PATIENCE_S
        try:
            while True:
                messages = self._consumer.consume(2000, 0.2)
                for message in messages:
                    if (error := message.error()) is not None:
                        if error.code() == KafkaError._PARTITION_EOF:
                            return
                        if error.name() not in NOT_YET:
                            raise KafkaException(error)
                    elif message.offset() < end:
                        yield _record(message)
                        deadline = time.monotonic() + PATIENCE_S
                    if error is None and message.offset() + 1 >= end:
                        return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{place} gives nothing in {PATIENCE_S:.0f} s")
        finally:
            self._consumer.unassign()


class Kept:
    """What lies on some topics at one moment, kept for many checks."""

    def __init__(self, broker: Broker, topics: Sequence[str], group: str = "mutt-match") -> None:
        self._committed = {group: broker.committed(group)}
        self._logs = {place: broker.log(place) for place in broker.places(topics)}

    def places(self, topics: Sequence[str]) -> list[Place]:
        return [place for place in self._logs if place[0] in topics]

    def log(self, place: Place) -> Log:
        return self._logs[place]

    def committed(self, group: str) -> Mapping[Place, int]:
        return self._committed[group]


def committed_offsets(bootstrap: str, group: str = "mutt-match", *, patience_s: float = PATIENCE_S) -> dict[Place, int]:
    """The offsets a group committed. KafkaException where the broker does not tell."""
    consumer = member_to_be(bootstrap, group)
    try:
        return patiently(lambda: offsets_of_group(consumer), patience_s)
    finally:
        consumer.close()


def member_to_be(bootstrap: str, group: str) -> Consumer:
    """One that may ask for the offsets of a group, and never joins it.

    An admin client would take the process with it where the broker is killed meanwhile (librdkafka issue 5040).
    """
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 2})


def offsets_of_group(consumer: Consumer) -> dict[Place, int]:
    """What the group has committed, by partition. Raises KafkaException."""
    topics = consumer.list_topics(timeout=5).topics.values()
    partitions = [TopicPartition(topic.topic, number) for topic in topics for number in topic.partitions]
    return {(at.topic, at.partition): at.offset for at in consumer.committed(partitions, 5) if at.offset >= 0}


def patiently(ask: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Asks again while the broker has only just started."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].name() not in NOT_YET or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _record(message: Message) -> Record:
    headers: Headers = tuple((_wire(name), value) for name, value in message.headers() or ())
    return Record(message.offset(), message.timestamp()[1], message.key(), message.value(), headers)


def _wire(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
