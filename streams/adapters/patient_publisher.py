"""Publishes records and waits until the broker has each of them, however long it is away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailable, words
from streams.adapters.record_batches import RecordBatches
from streams.retries import wait_after

log = structlog.get_logger()

SAY_S = 5.0
"""After so long without an answer it is said that the broker is waited for."""


class PatientPublisher:
    """Keys and values of one topic. What was sent is never sent again while the broker may still have it."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, waits: Callable[[str | None], None]) -> None:
        """`waits` is told what is waited for, and None once it is there."""
        self._producer = producer
        self._topic = topic
        self._waits = waits

    async def publish(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Returns when all are acknowledged (acks=all)."""
        left, attempt = list(records), 0
        while left:
            left, fault = await self._once(left)
            if left:
                unavailable = BrokerUnavailable(f"Kafka: {words(fault)}")
                self._waits(str(unavailable))
                await asyncio.sleep(wait_after(unavailable, attempt, random.random()))  # noqa: S311 - jitter, no secret
                attempt += 1
        self._waits(None)

    async def _once(self, records: list[tuple[bytes, bytes]]) -> tuple[list[tuple[bytes, bytes]], BaseException | None]:
        """What was not acknowledged, and why."""
        batches = RecordBatches(self._producer, self._topic)
        fault: BaseException | None = None
        try:
            await batches.send((*record, []) for record in records)
        except KafkaError as error:
            fault = error
        answers = {answer for answer, _ in batches.queued.values()}
        while answers and (await asyncio.wait(answers, timeout=SAY_S))[1]:
            self._waits("no acknowledgement yet")
            log.warning("waiting", service="kafka", error="no acknowledgement yet")
        left = []
        for number, record in enumerate(records):
            queued = batches.queued.get(number)
            if queued is None or queued[0].exception() is not None:
                fault = fault or (queued and queued[0].exception())
                left.append(record)
        return left, fault
