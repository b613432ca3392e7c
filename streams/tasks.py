"""Background tasks of a worker: none dies unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from typing import Any, TypeVar

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailable
from streams.adapters.broker_access import Brokers
from streams.adapters.brokers import check_brokers

log = structlog.get_logger()

START_RETRY_S = 2.0

T = TypeVar("T")


class Tasks:
    """Runs coroutines beside the work. One that ends with an exception is handed to `on_death`."""

    def __init__(self, on_death: Callable[[BaseException], None]) -> None:
        self._on_death = on_death
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Cancels them all and waits until they are gone."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_death(error)


async def wait_for_topics(brokers: Brokers, topics: Collection[str]) -> None:
    """Returns once Kafka answers and has these topics: a member that has partitions of some does not hear for minutes
    of one that is made later."""
    await _until_answered(partial(check_brokers, brokers, topics))


async def wait_for_start(create: Callable[[], AIOKafkaProducer]) -> AIOKafkaProducer:
    """A started producer; waits for a broker that is away."""

    async def start() -> AIOKafkaProducer:
        producer = create()
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise BrokerUnavailable(str(error)) from error
        return producer

    return await _until_answered(start)


async def _until_answered(call: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await call()
        except BrokerUnavailable as fault:
            log.warning("waiting", service="kafka", error=str(fault))
            await asyncio.sleep(START_RETRY_S)
