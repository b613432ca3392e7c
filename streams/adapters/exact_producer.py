"""Records sent byte for byte: also header names that are not UTF-8, and records with neither key nor value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from streams.core.letters import LetterRecord

MAX_REQUEST = 5 * 1024 * 1024
"""Bytes of one produce request: above the 4 MiB a topic of mutt takes."""


def producer_options(bootstrap: str) -> dict[str, Any]:
    """Keyword arguments for an AIOKafkaProducer that loses, reorders and doubles nothing."""
    return {
        "bootstrap_servers": bootstrap,
        "acks": "all",
        "enable_idempotence": True,
        "max_request_size": MAX_REQUEST,
        "request_timeout_ms": 30_000,
        "client_id": "mutt",
    }


@asynccontextmanager
async def started_producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of one's own, for as long as one command or job runs. Raises aiokafka's errors."""
    producer = AIOKafkaProducer(**producer_options(bootstrap))
    try:
        await producer.start()
        yield producer
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(5):  # with the broker away it would wait for ever
                await producer.stop()


async def send_exact(
    producer: AIOKafkaProducer, topic: str, partition: int | None, record: LetterRecord
) -> asyncio.Future[Any]:
    """Queues the record; the future ends when the broker has it. Without a partition the key chooses.

    Raises ValueError when the topic has no such partition, and aiokafka's errors. A cancelled send may be written.
    """
    key, value, headers = record
    partitions = sorted(await producer.partitions_for(topic))
    if partition is None:
        partition = DefaultPartitioner()(key, partitions, partitions)
    if partition not in partitions:
        raise ValueError(f"{topic} has no partition {partition}")
    if (key is not None or value is not None) and all(_is_text(name) for name, _ in headers):
        text = [(name.decode(), data) for name, data in headers]
        return await producer.send(topic, value, key, partition, headers=text)  # type: ignore[no-any-return]
    batch = _ExactBatch()
    batch.append(timestamp=None, key=key, value=value, headers=[(_RawName(name), data) for name, data in headers])
    batch.close()
    return await producer.send_batch(batch, topic, partition=partition)  # type: ignore[no-any-return]


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


class _RawName:
    """A header name as the pure Python record builder takes it: all it does is ask for the bytes."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    def encode(self, _encoding: str) -> bytes:
        return self._name


class _ExactBatch(BatchBuilder):  # type: ignore[misc]
    """A batch of one record on the pure Python builder, because the compiled one takes only text as header names."""

    def __init__(self) -> None:
        super().__init__(MAX_REQUEST, 0)
        self._builder = _DefaultRecordBatchBuilderPy(
            2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=MAX_REQUEST
        )

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)
