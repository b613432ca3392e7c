"""Puts committed alerts and dead letters on their topics and marks them published: the tables are the outbox."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.dead_letters import DeadLetter
from schemas.errors import BrokerUnavailable
from schemas.rows import row_letter
from schemas.topics import ALERTS, DLQ
from streams import crash
from streams.adapters.broker_access import Brokers
from streams.adapters.exact_producer import ExactProducer, producer_options, send_all_exact
from streams.adapters.faults import store_faults
from streams.adapters.published_marks import PublishedMarks
from streams.adapters.record_batches import RecordBatches
from streams.core.letters import to_record
from streams.core.work import Decided

PUBLISH_DEADLINE_S = 30.0
"""An idempotent producer never gives up by itself; after this the outcome is unknown and the lane waits."""

STOP_S = 5.0

PENDING_AT_ONCE = 1000

AlertRecord = tuple[uuid.UUID, bytes, bytes]
"""Id, key and value of a record on mutt.alerts."""


def create_producer(brokers: Brokers) -> AIOKafkaProducer:
    """The worker's own producer. Start it in the loop that will use it."""
    return ExactProducer(**producer_options(brokers), linger_ms=5, compression_type="zstd", max_batch_size=256 * 1024)


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Sends what waits, as far as the broker takes it within STOP_S: with Kafka away it would wait for ever."""
    with suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(STOP_S):
            await producer.stop()


@asynccontextmanager
async def acknowledged_within(deadline_s: float) -> AsyncIterator[None]:
    """Bounds what is sent within. Raises BrokerUnavailable for the broker's errors, and where it does not answer."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except (KafkaError, TimeoutError) as error:
        raise BrokerUnavailable(f"Kafka: {error or 'no acknowledgement in time'}") from error


async def acknowledged(answers: Sequence[asyncio.Future[Any]]) -> None:
    """Waits for the broker's answers to what was sent. Shielded: a cancelled send is written all the same, so "no
    answer" means unknown, never failed."""
    await asyncio.shield(asyncio.gather(*answers))


class KafkaOutbox:
    """Implements the OutboxPublisher port."""

    def __init__(
        self, pool: asyncpg.Pool, producer: AIOKafkaProducer, *, deadline_s: float = PUBLISH_DEADLINE_S
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._marks = PublishedMarks(pool)
        self._deadline_s = deadline_s

    async def run(self) -> None:
        """Marks what `publish` published, until cancelled."""
        await self._marks.run()

    async def flush(self) -> None:
        await self._marks.flush()

    async def publish(self, decided: Decided) -> None:
        alerts = [
            (row[0], alert.hostname.encode(), row[-1].encode())
            for alert, row in zip(decided.alerts, decided.alert_rows, strict=True)
        ]
        await self._publish(alerts, decided.letters)

    async def publish_pending(self, topic: str, partition: int) -> int:
        published = 0
        await self._marks.flush()
        while True:
            alerts = await self._pending_alerts(topic, partition)
            letters = await self._pending_letters(topic, partition)
            await self._publish(alerts, letters)
            await self._marks.flush()
            published += len(alerts) + len(letters)
            if len(alerts) < PENDING_AT_ONCE and len(letters) < PENDING_AT_ONCE:
                return published

    async def _publish(self, alerts: Sequence[AlertRecord], letters: Sequence[DeadLetter]) -> None:
        if not alerts and not letters:
            return
        crash.here("publishing")
        async with acknowledged_within(self._deadline_s):
            answers: list[asyncio.Future[Any]] = []
            if alerts:
                answers += await RecordBatches(self._producer, ALERTS.name).send((*alert[1:], []) for alert in alerts)
            crash.here("alerts_sent")
            if letters:
                answers += await send_all_exact(self._producer, DLQ.name, map(to_record, letters))
            await acknowledged(answers)
        crash.here("published")
        self._marks.add([alert[0] for alert in alerts], [letter.id for letter in letters])

    async def _pending_alerts(self, topic: str, partition: int) -> list[AlertRecord]:
        with store_faults():
            rows = await self._pool.fetch(
                "SELECT id, hostname, payload FROM alerts WHERE topic = $1 AND partition = $2"
                ' AND published_at IS NULL ORDER BY "offset" LIMIT $3',
                topic,
                partition,
                PENDING_AT_ONCE,
            )
        return [(row["id"], row["hostname"].encode(), row["payload"].encode()) for row in rows]

    async def _pending_letters(self, topic: str, partition: int) -> list[DeadLetter]:
        with store_faults():
            rows = await self._pool.fetch(
                "SELECT * FROM dead_letters WHERE topic = $1 AND partition = $2"
                ' AND published_at IS NULL ORDER BY "offset" LIMIT $3',
                topic,
                partition,
                PENDING_AT_ONCE,
            )
        return [row_letter(row) for row in rows]
