"""Publishes records to the stack's Kafka, at a rate, with progress; waits until the broker has every one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress

from ops.devstack.inputs import OutRecord
from schemas.errors import BrokerUnavailable
from streams.adapters.exact_producer import producer_options

IN_FLIGHT = 5000


async def publish(
    bootstrap: str, records: Iterator[OutRecord], *, rate: float = 0, show: bool = False
) -> dict[str, int]:
    """Counts by topic of what the broker acknowledged. Raises BrokerUnavailable."""
    producer = AIOKafkaProducer(**producer_options(bootstrap), linger_ms=5, compression_type="lz4")
    try:
        await producer.start()
        with Progress(console=Console(stderr=True), disable=not show, transient=True) as progress:
            return await _send_all(producer, records, rate, progress)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(f"Kafka at {bootstrap}: {error or type(error).__name__}") from error
    finally:
        await producer.stop()


async def _send_all(
    producer: AIOKafkaProducer, records: Iterator[OutRecord], rate: float, progress: Progress
) -> dict[str, int]:
    task = progress.add_task("sending", total=None)
    counts: Counter[str] = Counter()
    waiting: list[asyncio.Future[object]] = []
    began = time.monotonic()
    for number, record in enumerate(records):
        if rate and (ahead := number / rate - (time.monotonic() - began)) > 0.01:
            await asyncio.sleep(ahead)
        waiting.append(await producer.send(record.topic, record.value, record.key))
        counts[record.topic] += 1
        progress.advance(task)
        if len(waiting) >= IN_FLIGHT:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    return dict(counts)
