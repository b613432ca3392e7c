"""Records sent byte for byte: also header names that are not UTF-8, and records with neither key nor value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.producer.transaction_manager import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, PidAndEpoch
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from streams.adapters.broker_access import Brokers, connection
from streams.adapters.record_batches import RecordBatches, TextRecord, home
from streams.core.letters import LetterRecord

MAX_REQUEST = 5 * 1024 * 1024
"""Bytes of one produce request: above the 4 MiB a topic of mutt takes."""


def producer_options(brokers: Brokers) -> dict[str, Any]:
    """Keyword arguments for an AIOKafkaProducer that loses, reorders and doubles nothing."""
    return {
        **connection(brokers),
        "acks": "all",
        "enable_idempotence": True,
        "max_request_size": MAX_REQUEST,
        "request_timeout_ms": 30_000,
        "client_id": "mutt",
    }


class ExactProducer(AIOKafkaProducer):  # type: ignore[misc]
    """An idempotent producer that can go on after the broker has refused a batch.

    aiokafka numbers batches when they go out, so a refused one leaves a hole, and the broker refuses all that follow
    on its partition, for ever. Here what waits behind it is refused with it, so that nothing overtakes, and whatever
    comes later has a new producer id, whose numbers begin anew.
    """

    async def send(self, topic: str, value: Any = None, key: Any = None, partition: Any = None, **more: Any) -> Any:
        return self._watched(await super().send(topic, value, key, partition, **more), topic, partition)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> Any:
        return self._watched(await super().send_batch(batch, topic, partition=partition), topic, partition)

    def _watched(self, answer: asyncio.Future[Any], topic: str, partition: int) -> asyncio.Future[Any]:
        answer.add_done_callback(partial(self._answered, TopicPartition(topic, partition)))
        return answer

    def _answered(self, at: TopicPartition, answer: asyncio.Future[Any]) -> None:
        """Runs before the sender goes on, and the sender asks for an id whenever it has none."""
        error = None if answer.cancelled() else answer.exception()
        if not isinstance(error, KafkaError):
            return
        for waiting in self._message_accumulator._batches.pop(at, ()):
            waiting.failure(error)
        numbers = self._txn_manager
        if numbers.has_pid():
            numbers._pid_and_epoch = PidAndEpoch(NO_PRODUCER_ID, NO_PRODUCER_EPOCH)
            numbers._pid_waiter = asyncio.get_running_loop().create_future()
            numbers._sequence_numbers.clear()


@asynccontextmanager
async def started_producer(brokers: Brokers) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of one's own, for as long as one command or job runs. Raises aiokafka's errors."""
    producer = ExactProducer(**producer_options(brokers))
    try:
        await producer.start()
        yield producer
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(5):  # with the broker away it would wait for ever
                await producer.stop()


async def send_all_exact(
    producer: AIOKafkaProducer, topic: str, records: Iterable[LetterRecord]
) -> list[asyncio.Future[Any]]:
    """Queues records, many in a batch where that can be; the futures end when the broker has them.

    The key chooses the partition. Raises aiokafka's errors. A cancelled send may be written.
    """
    texts: list[TextRecord] = []
    others: list[LetterRecord] = []
    for record in records:
        text = _as_text(record)
        if text is None:
            others.append(record)
        else:
            texts.append(text)
    answers = await RecordBatches(producer, topic).send(texts)
    return answers + [await send_exact(producer, topic, None, record) for record in others]


async def send_exact(
    producer: AIOKafkaProducer, topic: str, partition: int | None, record: LetterRecord
) -> asyncio.Future[Any]:
    """Queues the record; the future ends when the broker has it. Without a partition the key chooses.

    Raises ValueError when the topic has no such partition, and aiokafka's errors. A cancelled send may be written.
    """
    key, value, headers = record
    partitions = tuple(sorted(await producer.partitions_for(topic)))
    if partition is None:
        partition = home(key, partitions)
    if partition not in partitions:
        raise ValueError(f"{topic} has no partition {partition}")
    if (text := _as_text(record)) is not None:
        return await producer.send(topic, value, key, partition, headers=text[2])  # type: ignore[no-any-return]
    batch = _ExactBatch()
    batch.append(timestamp=None, key=key, value=value, headers=[(_RawName(name), data) for name, data in headers])
    batch.close()
    return await producer.send_batch(batch, topic, partition=partition)  # type: ignore[no-any-return]


def _as_text(record: LetterRecord) -> TextRecord | None:
    """The record as aiokafka takes it; None where it does not."""
    key, value, headers = record
    if key is None and value is None:
        return None
    try:
        return key, value, [(name.decode(), data) for name, data in headers]
    except UnicodeDecodeError:
        return None


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
