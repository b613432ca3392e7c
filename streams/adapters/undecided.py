"""How many records wait on the ingest topics: the ends of their logs against where the partitions stand."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailable, words
from schemas.topics import INGEST
from streams.adapters.broker_access import Brokers, connection
from streams.adapters.offsets import partitions_of
from streams.adapters.transactions import Transactions
from streams.core.ingest import undecided

CONNECT_S = 5.0
ANSWER_S = 1.0

_PROGRESS = "SELECT topic, partition, next_offset FROM partition_progress"


class LogsAndProgress:
    """Implements UndecidedRecords. Its connection to the brokers is made when it is first asked, and kept."""

    def __init__(self, brokers: Brokers, transactions: Transactions) -> None:
        self._brokers = brokers
        self._transactions = transactions
        self._consumer: AIOKafkaConsumer | None = None
        self._there: list[TopicPartition] = []

    async def count(self) -> int:
        async with self._transactions.reading() as connection:
            rows = await connection.fetch(_PROGRESS)
        stands = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        try:
            async with asyncio.timeout(CONNECT_S):
                consumer = await self._connected()
            async with asyncio.timeout(ANSWER_S):
                return await self._compared(consumer, stands)
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailable(f"Kafka: {words(error)}") from error

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(ANSWER_S):
                    await consumer.stop()

    async def _compared(self, consumer: AIOKafkaConsumer, stands: dict[tuple[str, int], int]) -> int:
        ends = await consumer.end_offsets(self._there)
        if unread := [tp for tp in self._there if (tp.topic, tp.partition) not in stands]:
            begins = await consumer.beginning_offsets(unread)
            stands |= {(tp.topic, tp.partition): begin for tp, begin in begins.items()}
        return undecided({(tp.topic, tp.partition): end for tp, end in ends.items()}, stands)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._there = await partitions_of(self._brokers, [topic.name for topic in INGEST])
            self._consumer = AIOKafkaConsumer(**connection(self._brokers), client_id="mutt")
            await self._consumer.start()
        return self._consumer
