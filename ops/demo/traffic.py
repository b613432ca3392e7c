"""Sends the planned records at their time and counts what the broker acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ops.demo.board import Board
from ops.demo.generate import Planned
from streams.adapters.broker_access import Brokers
from streams.adapters.exact_producer import ExactProducer, producer_options

TICK_S = 0.02


async def send(brokers: Brokers, records: Sequence[Planned], board: Board) -> int:
    """Sends everything, at the pace of the plan; returns how many records the broker has. Raises KafkaError."""
    producer = ExactProducer(**producer_options(brokers), linger_ms=5, compression_type="zstd")
    await producer.start()
    loop = asyncio.get_running_loop()
    began = loop.time()
    answers: list[asyncio.Future[Any]] = []
    try:
        for record in records:
            if (ahead := record.at - (loop.time() - began)) > 0:
                await asyncio.sleep(max(ahead, TICK_S))
            answer = await producer.send(record.topic, record.value, record.key, headers=list(record.headers))
            answer.add_done_callback(lambda done: _count(done, board))
            answers.append(answer)
        await asyncio.gather(*answers)
        return len(answers)
    finally:
        await producer.stop()


def _count(answer: asyncio.Future[Any], board: Board) -> None:
    if not answer.cancelled() and answer.exception() is None:
        metadata = answer.result()
        board.acknowledged[metadata.topic, metadata.partition] += 1
