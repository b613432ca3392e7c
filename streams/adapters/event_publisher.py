"""Publishes events for the API: acknowledged by the broker within a deadline, or said to be unknown; never held without
bound."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.errors import BrokerUnavailable, Overloaded, words
from streams.adapters.broker_access import Brokers
from streams.adapters.publisher import create_producer, stop_producer
from streams.adapters.record_batches import RecordBatches
from streams.core.ingest import Headers, IngestRecord, Published, Unpublished

log = structlog.get_logger()

DEADLINE_S = 5.0
"""How long a request waits for acknowledgements; afterwards what became of its events is unknown."""
MOST_HELD = 32 * 1024 * 1024
"""Bytes of events that wait for the broker at most: an idempotent producer keeps them until it has answered."""
RECORD_COSTS = 100
"""Bytes that a record is counted beside its own."""
RETRY_S = 1.0


class KafkaEvents:
    """Implements EventSink. `run` keeps its producer; until that has found a broker nothing is taken."""

    def __init__(self, brokers: Brokers, *, deadline_s: float = DEADLINE_S, most_held: int = MOST_HELD) -> None:
        self._brokers = brokers
        self._deadline_s = deadline_s
        self._most_held = most_held
        self._producer: AIOKafkaProducer | None = None
        self.held = 0
        """Bytes that wait for the broker."""

    async def run(self) -> None:
        """Starts the producer, however long Kafka is away, and stops it when cancelled."""
        while self._producer is None:
            producer = create_producer(self._brokers)
            try:
                await producer.start()
                self._producer = producer
            except (KafkaError, OSError) as error:
                log.warning("waiting", service="kafka", error=words(error))
                await producer.stop()
                await asyncio.sleep(RETRY_S)
        try:
            await asyncio.Event().wait()
        finally:
            await stop_producer(producer)

    async def publish(self, records: Sequence[IngestRecord], headers: Headers = ()) -> list[Published | Unpublished]:
        if self._producer is None:
            raise BrokerUnavailable("Kafka: no broker was found yet")
        if self.held and self.held + _size(records) > self._most_held:
            raise Overloaded(f"{self.held} bytes of events wait for the broker")
        batches = {topic: RecordBatches(self._producer, topic) for topic in {record.topic for record in records}}
        numbers = {topic: [n for n, record in enumerate(records) if record.topic == topic] for topic in batches}
        size = _size(records)
        self.held += size
        try:
            fault = await self._send(batches, {t: [records[n] for n in numbers[t]] for t in batches}, headers)
        finally:
            self._release(size, batches.values())
        outcomes: list[Published | Unpublished] = [Unpublished(unknown=False)] * len(records)
        for topic, sent in batches.items():
            for number, (answer, place) in sent.queued.items():
                outcomes[numbers[topic][number]] = _outcome(answer, place)
        if not any(isinstance(outcome, Published) for outcome in outcomes):
            raise BrokerUnavailable(f"Kafka: {fault or 'refused'}")
        return outcomes

    async def _send(
        self, batches: Mapping[str, RecordBatches], records: Mapping[str, Sequence[IngestRecord]], headers: Headers
    ) -> str | None:
        """Sends all and waits for the answers, at most until the deadline; what went wrong, if anything did."""
        answers: list[asyncio.Future[Any]] = []
        told: list[tuple[str, bytes | None]] = list(headers)
        try:
            async with asyncio.timeout(self._deadline_s):
                for topic, batch in batches.items():
                    answers += await batch.send((one.key, one.value, told) for one in records[topic])
                await asyncio.wait(answers)
        except TimeoutError:
            return "no acknowledgement in time"
        except KafkaError as error:
            return words(error)
        return next((repr(answer.exception()) for answer in answers if answer.exception()), None)

    def _release(self, size: int, batches: Iterable[RecordBatches]) -> None:
        """What was sent is held until the broker has answered all of it, however late."""
        left = {answer for batch in batches for answer, _ in batch.queued.values() if not answer.done()}
        if not left:
            self.held -= size

        def answered(answer: asyncio.Future[Any]) -> None:
            left.discard(answer)
            self.held -= size if not left else 0
            if not answer.cancelled():
                answer.exception()  # looked at, so that nobody warns

        for answer in list(left):
            answer.add_done_callback(answered)


def _size(records: Sequence[IngestRecord]) -> int:
    return sum(len(record.key) + len(record.value) + RECORD_COSTS for record in records)


def _outcome(answer: asyncio.Future[Any], place: int) -> Published | Unpublished:
    if not answer.done() or answer.cancelled():
        return Unpublished(unknown=True)
    error = answer.exception()
    if error is not None:
        return Unpublished(unknown=not isinstance(error, MessageSizeTooLargeError))
    found = answer.result()
    return Published(found.topic, found.partition, found.offset + place)
