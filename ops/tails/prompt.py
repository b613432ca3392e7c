"""A Python prompt at a broker, with the few functions that a look around needs."""

from __future__ import annotations

import asyncio
import code
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from aiokafka import AIOKafkaProducer

from ops.tails.records import records
from schemas.events import event_id
from schemas.topics import TOPICS, topics_by_name
from streams.adapters.exact_producer import producer_options
from streams.adapters.offsets import log_bounds

BANNER = "topics()  ends()  last(topic, count=10)  send(topic, text, key=None)  exit()"


class Broker:
    """What can be asked at the prompt."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def topics(self) -> list[str]:
        """The topics of mutt."""
        return [topic.name for topic in TOPICS]

    def ends(self) -> dict[str, int]:
        """How many offsets each partition has given out, where any."""
        places = [(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]
        found = asyncio.run(log_bounds(self._bootstrap, places))
        return {f"{topic}:{number}": bounds.end for (topic, number), bounds in sorted(found.items()) if bounds.end}

    def last(self, topic: str, count: int = 10) -> list[dict[str, Any]]:
        """The last records of a topic, as far as they are there."""
        there = sum(end for place, end in self.ends().items() if place.startswith(f"{topic}:"))
        return asyncio.run(self._take(topic, min(count, there))) if there else []

    async def _take(self, topic: str, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        stream: Any = records(self._bootstrap, [topic], count)
        async with aclosing(stream):
            rows: AsyncIterator[Any] = stream
            async for row in rows:
                found.append(dict(row))
                if len(found) == count:
                    break
        return found

    def send(self, topic: str, text: str, key: str | None = None) -> str:
        """Publishes a record; its event id."""
        return asyncio.run(self._send(topics_by_name()[topic].name, text.encode(), key.encode() if key else None))

    async def _send(self, topic: str, value: bytes, key: bytes | None) -> str:
        async with AIOKafkaProducer(**producer_options(self._bootstrap)) as producer:
            sent = await producer.send_and_wait(topic, value, key)
        return event_id(sent.topic, sent.partition, sent.offset)


def prompt(bootstrap: str) -> None:
    """Reads and runs what is typed until exit() or the end of the input."""
    broker = Broker(bootstrap)
    names = {name: getattr(broker, name) for name in ("topics", "ends", "last", "send")}
    quiet = not sys.stdin.isatty()
    if quiet:
        sys.ps1 = sys.ps2 = ""
    code.interact(banner="" if quiet else BANNER, local=names, exitmsg="")
