"""The thread that owns the aiokafka consumer, and what it takes of what was fetched: raw records, within bounds.

It overrides internals of faust-streaming 0.15.3 and aiokafka 0.14.0, as streams/driver.py does.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.consumer import fetcher as kafka_fetcher
from aiokafka.errors import KafkaConnectionError
from faust.transport.drivers import aiokafka as drivers
from faust.types.tuples import TP
from mode import Service

from schemas.errors import BrokerUnavailable
from streams.core.batches import CorruptBatch, Record, size_of_headers
from streams.core.watchdog import Reach
from streams.reach import reach_of
from streams.retries import wait_after
from streams.unpack import Batch, Unpacker

FETCH_BYTES = 64 * 1024
FETCH_WAIT_MS = 20
"""The broker gathers so many bytes, or so long, before it answers a fetch: of what trickles in, much is worked on at
once, and nothing of it lies here meanwhile. Faust's 1,500 ms shows as one-second tails in latency."""

TOPICS_LOOK_S = 2.0
"""So often a member without partitions looks at its topics: for a moment after its restart a broker may know none, and
who gives out partitions then has none to give; by itself aiokafka looks again after five minutes."""

POLL_BYTES = 2 * 1024 * 1024
"""Of one partition's records in one poll, and at least one record: what is fetched may unpack to a thousand times as
much, and is unpacked as it is asked for."""


class BoundedRecords:
    """What aiokafka's fetcher takes for a fetched chunk: keeps the bytes until they are asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def has_next(self) -> bool:
        return len(self._data) > 0

    def size_in_bytes(self) -> int:
        return len(self._data)

    def batches(self, unpacker: Unpacker) -> Iterator[Batch]:
        return unpacker.batches(self._data)


class BoundedPartitionRecords(kafka_fetcher.PartitionRecords):  # type: ignore[misc]
    """Iterates over a fetched chunk as raw records, within the unpacker's bounds.

    A damaged or oversized batch yields one stand-in instead of raising out of the poll of all partitions.
    """

    unpacker = Unpacker()
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Record]:
        found = False
        for batch in self._records.batches(self.unpacker):
            found = True
            if not batch.is_control:
                for record in batch.unpack():
                    if record.offset >= self.next_fetch_offset:
                        self.next_fetch_offset = record.offset + 1
                        yield record
            self.next_fetch_offset = batch.next_offset
        if not found:
            yield CorruptBatch(self.next_fetch_offset, 0, f"no whole batch at {self.next_fetch_offset}")


class Records(list[Record]):
    """What one poll took of a partition, and the bytes of keys, values and headers."""

    size = 0


class BoundedFetchResult(kafka_fetcher.FetchResult):  # type: ignore[misc]
    """Gives what was fetched in parts that memory has room for; aiokafka counts records alone."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> Records:
        taken = Records()
        size = 0
        if self.check_assignment(self._topic_partition) and self.has_more():
            for record in self._partition_records:
                taken.append(record)
                if (value := record.value) is not None:
                    size += len(value)
                if (key := record.key) is not None:
                    size += len(key)
                if headers := record.headers:
                    size += size_of_headers(headers)
                if size >= POLL_BYTES or len(taken) == max_records:
                    self._update_position()
                    break
            else:
                self._update_position()
                self._partition_records = None
        taken.size = size
        return taken


class BatchConsumerThread(drivers.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that owns the aiokafka consumer."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        kafka_fetcher.MemoryRecords = BoundedRecords
        kafka_fetcher.PartitionRecords = BoundedPartitionRecords
        kafka_fetcher.FetchResult = BoundedFetchResult
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_min_bytes, consumer._fetch_max_wait_ms = FETCH_BYTES, FETCH_WAIT_MS  # read when it starts
        return consumer

    async def on_start(self) -> None:
        """As Faust's, but for a broker that went away since it last answered: it is waited for."""
        self._consumer = self._create_consumer(loop=self.thread_loop)
        self.time_started = time.monotonic()
        for attempt in itertools.count():
            try:
                await self._consumer.start()
                return
            except KafkaConnectionError as error:
                fault = BrokerUnavailable(f"Kafka: {error}")
                await self.sleep(wait_after(fault, attempt, random.random()))  # noqa: S311 - no secret
            if self.should_stop:
                return

    @Service.task  # type: ignore[untyped-decorator]
    async def look_for_topics(self) -> None:
        """Until it stops. What aiokafka finds changed, it joins the group for again."""
        while not self.should_stop:
            await self.sleep(TOPICS_LOOK_S)
            consumer = self._consumer
            if consumer is not None and not consumer.assignment():
                await consumer._client.force_metadata_update()

    async def log_bounds(self, tp: TP) -> tuple[int, int]:
        """First offset of the log, and the one after its last."""
        partition = KafkaPartition(tp.topic, tp.partition)
        return await self.call_thread(self._log_bounds, partition)  # type: ignore[no-any-return]

    async def _log_bounds(self, partition: KafkaPartition) -> tuple[int, int]:
        consumer = self._ensure_consumer()
        begin = await consumer.beginning_offsets([partition])
        end = await consumer.end_offsets([partition])
        return begin[partition], end[partition]

    async def seek_now(self, offsets: Mapping[TP, int]) -> None:
        await self.call_thread(self._seek_now, offsets)

    async def _seek_now(self, offsets: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        for tp, offset in offsets.items():
            partition = KafkaPartition(tp.topic, tp.partition)
            if partition in assigned:
                consumer.seek(partition, offset)

    def reach(self) -> Reach:
        """To be called on this thread only."""
        return Reach() if self._consumer is None else reach_of(self._consumer)

    async def pause_exactly(self, wanted: frozenset[tuple[str, int]]) -> None:
        """Makes aiokafka's paused partitions the wanted ones, of those assigned."""
        await self.call_thread(self._pause_exactly, wanted)

    async def _pause_exactly(self, wanted: frozenset[tuple[str, int]]) -> None:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        target = {KafkaPartition(topic, partition) for topic, partition in wanted} & assigned
        paused = consumer.paused()
        if more := target - paused:
            consumer.pause(*more)
        if fewer := (paused - target) & assigned:
            consumer.resume(*fewer)
