"""Publishes records and waits until the broker has each of them, however long it is away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.adapters.record_batches import RecordBatches
from streams.core.backoff import OUTSIDE, backoff

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
            if fault is not None:
                self._say(fault)
                await asyncio.sleep(backoff(OUTSIDE, attempt, random.random()))  # noqa: S311 - jitter, no secret
                attempt += 1
        self._waits(None)

    async def _once(self, records: list[tuple[bytes, bytes]]) -> tuple[list[tuple[bytes, bytes]], str | None]:
        """What was not acknowledged, and why."""
        batches = RecordBatches(self._producer, self._topic)
        fault: BaseException | None = None
        try:
            await batches.send(records)
        except KafkaError as error:
            fault = error
        answers = {answer for answer, _ in batches.queued.values()}
        while answers and (await asyncio.wait(answers, timeout=SAY_S))[1]:
            self._say("no acknowledgement yet")
        left = []
        for number, record in enumerate(records):
            queued = batches.queued.get(number)
            if queued is None or queued[0].exception() is not None:
                fault = fault or (queued and queued[0].exception())
                left.append(record)
        return left, None if not left else str(fault) or type(fault).__name__

    def _say(self, fault: str) -> None:
        self._waits(fault)
        log.warning("waiting", service="kafka", error=fault)
