"""Publishes records to the stack's Kafka, at a rate, with progress; waits until the broker has every one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata
from rich.console import Console
from rich.progress import Progress

from ops.devstack.inputs import OutRecord
from schemas.errors import BrokerUnavailable, words
from schemas.events import event_id
from streams.adapters.exact_producer import ExactProducer, producer_options

IN_FLIGHT = 5000
IDS = 10
"""Event ids remembered, of the first records sent."""


@dataclass(slots=True)
class Sent:
    """What the broker acknowledged: counts by topic, and the ids of the first events."""

    topics: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)

    def add(self, answers: list[RecordMetadata]) -> None:
        self.topics.update(answer.topic for answer in answers)
        for answer in answers[: IDS - len(self.ids)]:
            self.ids.append(event_id(answer.topic, answer.partition, answer.offset))


async def publish(bootstrap: str, records: Iterator[OutRecord], *, rate: float = 0, show: bool = False) -> Sent:
    """Publishes them all. Raises BrokerUnavailable."""
    producer = ExactProducer(**producer_options(bootstrap), linger_ms=5, compression_type="zstd")
    try:
        await producer.start()
        with Progress(console=Console(stderr=True), disable=not show, transient=True) as progress:
            return await _send_all(producer, records, rate, progress)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(f"Kafka at {bootstrap}: {words(error)}") from error
    finally:
        await producer.stop()


async def _send_all(producer: AIOKafkaProducer, records: Iterator[OutRecord], rate: float, progress: Progress) -> Sent:
    task = progress.add_task("sending", total=None)
    sent = Sent()
    waiting: list[asyncio.Future[RecordMetadata]] = []
    began = time.monotonic()
    for number, record in enumerate(records):
        if rate and (ahead := number / rate - (time.monotonic() - began)) > 0.01:
            await asyncio.sleep(ahead)
        waiting.append(await producer.send(record.topic, record.value, record.key))
        progress.advance(task)
        if len(waiting) >= IN_FLIGHT:
            sent.add(await asyncio.gather(*waiting))
            waiting.clear()
    sent.add(await asyncio.gather(*waiting))
    return sent
