"""The thread of the consumer: its start outlives a broker that went away in that moment."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, UnsupportedVersionError

from streams.consumer_thread import BatchConsumerThread


class Consumer:
    """Starts as told: each error is raised once."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.started = False
        self.partitions: list[int] = []
        self.looks = 0

    @property
    def _client(self) -> Consumer:
        return self

    def assignment(self) -> list[int]:
        return self.partitions

    async def force_metadata_update(self) -> None:
        """The second look finds them."""
        self.looks += 1
        self.partitions = [0] * (self.looks > 1)

    async def start(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.started = True


class Thread(BatchConsumerThread):
    """Without Faust around it; `stops_after` waits it is told to stop."""

    thread_loop: Any = None

    def __init__(self, consumer: Consumer, *, stops_after: int = 99) -> None:
        self.given = consumer
        self.waits: list[float] = []
        self.stops_after = stops_after

    def _create_consumer(self, loop: Any) -> Any:
        return self.given

    async def sleep(self, n: Any, **_: Any) -> None:
        self.waits.append(n)

    @property
    def should_stop(self) -> bool:
        return len(self.waits) >= self.stops_after


def away() -> KafkaConnectionError:
    return KafkaConnectionError("nobody answers")


async def test_a_broker_that_goes_away_at_the_start_is_waited_for() -> None:
    consumer = Consumer(away(), away())
    thread = Thread(consumer)
    await thread.on_start()
    assert consumer.started
    assert len(thread.waits) == 2
    assert max(thread.waits) <= 2.0


async def test_a_stop_ends_the_wait() -> None:
    consumer = Consumer(*(away() for _ in range(9)))
    thread = Thread(consumer, stops_after=3)
    await thread.on_start()
    assert not consumer.started
    assert len(thread.waits) == 3


async def test_what_waiting_does_not_mend_ends_the_worker() -> None:
    with pytest.raises(UnsupportedVersionError):
        await Thread(Consumer(away(), UnsupportedVersionError("too old"))).on_start()


async def test_who_has_no_partitions_looks_at_the_topics_until_there_are_some() -> None:
    consumer = Consumer()
    thread = Thread(consumer, stops_after=6)
    await thread.on_start()
    await BatchConsumerThread.look_for_topics(thread)
    assert consumer.looks == 2
    assert max(thread.waits) <= 2.0
