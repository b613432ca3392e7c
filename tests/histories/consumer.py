"""One worker's consumer: polls, seeks, pauses, acknowledges and commits as streams/driver.py makes Faust do it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaConnectionError

from streams.consumer_thread import Records
from streams.core.batches import Record, size_of_headers
from streams.core.watermark import Watermark
from tests.histories.broker import Broker, Group, Member, Place
from tests.histories.loop import VirtualLoop

BUFFERED = 16
"""Batches between the consumer and the agent, as `stream_buffer_maxsize` says."""


@dataclass(slots=True)
class Polled:
    """What `streams.driver.polled` reads: the message of an event, and its acknowledgement."""

    topic: str
    partition: int
    first: int
    offset: int
    records: Records
    rewound: bool
    generation: int
    ack: Callable[[], None] = lambda: None

    @property
    def message(self) -> Polled:
        return self


@dataclass(slots=True)
class Link:
    """The consumer's way to the broker: how long a poll takes, and whether the broker answers now."""

    delay: Callable[[], float]
    answers: Callable[[], bool]
    polled: Callable[[Place, int], None]
    committed: Callable[[Place, int], None]


class SimConsumer:
    """Reads what is assigned, in a task of its worker. It is also the stream that the agent reads."""

    def __init__(
        self, loop: VirtualLoop, broker: Broker, group: Group, member: Member, *, most: int, link: Link
    ) -> None:
        self._loop, self._broker, self._group, self._member, self._most = loop, broker, group, member, most
        self._link = link
        self._queue: asyncio.Queue[Polled] = asyncio.Queue(BUFFERED)
        self._positions: dict[Place, int] = {}
        self._next_read: dict[Place, int] = {}
        self._marks: dict[Place, Watermark] = {}
        self._wanted_seeks: dict[Place, int] = {}
        self._paused: frozenset[Place] = frozenset()
        self._wake = asyncio.Event()
        self._dirty = asyncio.Event()
        self.generation = -1

    # -- what the worker's parts ask ----------------------------------------------------------------------------

    def request_seek(self, tp: Place, offset: int) -> None:
        self._wanted_seeks[tuple(tp)] = offset  # type: ignore[index]
        self._wake.set()

    async def log_bounds(self, tp: Place) -> tuple[int, int]:
        await asyncio.sleep(self._link.delay())
        if not self._link.answers():
            raise KafkaConnectionError
        log = self._broker.logs[tuple(tp)]  # type: ignore[index]
        return log.begin, log.end

    async def pause_exactly(self, wanted: frozenset[Place]) -> None:
        before, self._paused = self._paused, wanted & self._positions.keys()
        if before - self._paused:
            self._wake.set()

    def noack(self) -> SimConsumer:
        return self

    async def events(self) -> AsyncIterator[Polled]:
        """Faust skips what was polled before the last rebalance, but for what the agent has in hand."""
        while True:
            polled = await self._queue.get()
            if polled.generation == self.generation:
                yield polled

    # -- assignment ---------------------------------------------------------------------------------------------

    def revoke(self) -> None:
        self.generation = -1
        self._forget()

    def assign(self, places: Sequence[Place], generation: int) -> None:
        """Positions start from what is committed, and aiokafka forgets its pauses."""
        self._forget()
        self.generation = generation
        logs, committed = self._broker.logs, self._group.committed
        self._positions = {place: committed.get(place, logs[place].begin) for place in places}
        self._wake.set()

    def _forget(self) -> None:
        self._positions, self._next_read, self._marks, self._wanted_seeks = {}, {}, {}, {}
        self._paused = frozenset()

    # -- reading ------------------------------------------------------------------------------------------------

    def look(self, place: Place) -> None:
        """There is something to read."""
        if place in self._positions and place not in self._paused:
            self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(self._link.delay())
            while await self._poll():
                await asyncio.sleep(0)

    async def _poll(self) -> bool:
        """Hands on what one poll finds; whether it found something."""
        self._seek()
        found = False
        generation = self.generation
        for place in list(self._positions):
            if place in self._paused:
                continue
            records = self._fetch(place)
            if not records:
                continue
            found = True
            polled = self._message(place, records)
            self._link.polled(place, len(records))
            await self._queue.put(polled)
            if generation != self.generation:
                return True
            self._next_read[place] = polled.offset + 1
        return found

    def _seek(self) -> None:
        wanted, self._wanted_seeks = self._wanted_seeks, {}
        for place, offset in wanted.items():
            if place in self._positions:
                self._positions[place] = self._next_read[place] = offset
                self._marks[place] = Watermark(offset)

    def _fetch(self, place: Place) -> Sequence[Record]:
        log, position = self._broker.logs[place], self._positions[place]
        if not log.begin <= position <= log.end:
            position = self._positions[place] = log.begin  # aiokafka resets silently to the earliest
        records = log.read(position, self._most)
        if records:
            self._positions[place] = records[-1].offset + 1
        return records

    def _message(self, place: Place, records: Sequence[Record]) -> Polled:
        start, last = records[0].offset, records[-1].offset
        expected = self._next_read.get(place)
        first = start if expected is None else min(expected, start)
        rewound = expected is not None and start < expected
        polled = Polled(*place, first, last, _sized(records), rewound, self.generation)
        polled.ack = lambda: self._acknowledge(place, polled)
        if place not in self._marks or rewound:
            self._marks[place] = Watermark(first, committed=first)
        return polled

    # -- acknowledging and committing ---------------------------------------------------------------------------

    def _acknowledge(self, place: Place, polled: Polled) -> None:
        mark = self._marks.get(place)
        if mark is not None and polled.generation == self.generation:
            mark.ack(polled.first, polled.offset + 1)
            self._dirty.set()

    async def commit_forever(self) -> None:
        """Commits what is acknowledged, a moment later."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await asyncio.sleep(self._link.delay())
            for place, mark in list(self._marks.items()):
                offset = mark.to_commit()
                if offset is not None and not self._commit(place, mark, offset):
                    self._loop.call_later(0.3, self._dirty.set)

    def _commit(self, place: Place, mark: Watermark, offset: int) -> bool:
        """Whether there is nothing more to try: it is committed, or the group has moved on."""
        if not self._link.answers():
            return False
        if self._group.commit(self._member, self.generation, place, offset):
            mark.committed = offset
            self._link.committed(place, offset)
        return True


def _sized(records: Sequence[Record]) -> Records:
    taken = Records(records)
    taken.size = sum(len(r.key or b"") + len(r.value or b"") + size_of_headers(r.headers) for r in records)
    return taken
