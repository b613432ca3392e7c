"""Lanes: one per assigned partition, in order, taking what is queued as one batch; a cap on what all of them hold."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from streams.core.batches import PolledBatch

PartitionId = tuple[str, int]


class Caps(Struct, frozen=True):
    """What lanes may hold together (I6), and what one batch takes at most."""

    batch_records: int = 4000
    held_records: int = 40_000
    held_bytes: int = 64 * 1024 * 1024


class LaneWork(Protocol):
    """What a lane does with its partition. One call at a time, in order.

    An exception that leaves `open` or `handle` is a defect: the lane's owner ends the process, offsets intact.
    """

    held: bool
    """It waits on purpose, with nothing begun, until more may be taken in."""
    steps: int
    """Counts what gets done within one long call of `handle`."""

    @property
    def waits(self) -> bool:
        """It waits rightly: for its turn, for what is away, until more may be taken in or until somebody acts."""

    async def open(self) -> None:
        """Called before the first batch, and again when the place was lost; waits as long as it must."""

    async def handle(self, batches: Sequence[PolledBatch]) -> bool:
        """Processes batches that follow each other and acknowledges them; waits as long as it must.

        False when it lost its place (the partition halted): `open` is called before the next batch.
        """

    def revoke(self) -> None:
        """The partition belongs to another worker now: finish nothing more, acknowledge nothing more."""


class Lane:
    """One partition's queue and the task that empties it."""

    def __init__(self, work: LaneWork, caps: Caps, released: Callable[[int, int], None]) -> None:
        self._work = work
        self._caps = caps
        self._released = released
        self._queue: deque[tuple[PolledBatch, int]] = deque()
        self._wake = asyncio.Event()
        self.busy = False
        self.opening = False
        self.revoked = False
        self._finished = 0

    def append(self, batch: PolledBatch, size: int) -> None:
        self._queue.append((batch, size))
        self._wake.set()

    def revoke(self) -> None:
        self.revoked = True
        self._work.revoke()
        for batch, size in self._queue:
            self._released(len(batch.records), size)
        self._queue.clear()
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Nothing in hand. A lane that looks for its place, halted or is held has not begun with what it has."""
        return self.opening or self._work.held or (not self.busy and not self._queue)

    @property
    def works(self) -> bool:
        """It has something to do, and nothing holds it back."""
        return (self.opening or self.busy or bool(self._queue)) and not self._work.waits

    @property
    def progress(self) -> int:
        """Moves whenever it gets something done."""
        return self._finished + self._work.steps

    async def run(self) -> None:
        await self._open()
        while not self.revoked:
            await self._wake.wait()
            taken = self._take()
            if taken and not await self._handle(taken):
                await self._open()

    async def _open(self) -> None:
        self.opening = True
        await self._work.open()
        self.opening = False
        self._finished += 1

    async def _handle(self, taken: Sequence[tuple[PolledBatch, int]]) -> bool:
        self.busy = True
        try:
            return await self._work.handle([batch for batch, _ in taken])
        finally:
            self.busy = False
            self._finished += 1
            for batch, size in taken:
                self._released(len(batch.records), size)

    def _take(self) -> list[tuple[PolledBatch, int]]:
        """Everything queued, up to the batch limit, at least one polled batch."""
        taken: list[tuple[PolledBatch, int]] = []
        records = 0
        while self._queue and (not taken or records + len(self._queue[0][0].records) <= self._caps.batch_records):
            taken.append(self._queue.popleft())
            records += len(taken[-1][0].records)
        if not self._queue:
            self._wake.clear()
        return taken


class Lanes:
    """The lanes of one worker. `put` waits at the cap; a lane that dies calls `on_death` with its exception."""

    def __init__(
        self,
        open_lane: Callable[[str, int], LaneWork],
        *,
        caps: Caps,
        on_death: Callable[[BaseException], None],
    ) -> None:
        self._open_lane = open_lane
        self._caps = caps
        self._on_death = on_death
        self._lanes: dict[PartitionId, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation = 0
        self._room = asyncio.Event()
        self._room.set()
        self.held_records = 0
        self.held_bytes = 0

    def assign(self, partitions: Iterable[PartitionId]) -> None:
        """Opens a lane for each partition, afresh: what an earlier lane of the same partition had queued is dropped."""
        self.revoke_all()
        for topic, partition in partitions:
            lane = Lane(self._open_lane(topic, partition), self._caps, self._release)
            self._lanes[topic, partition] = lane
            self._spawn(lane.run(), f"lane {topic}:{partition}")

    def revoke_all(self) -> None:
        """Drops every lane unacknowledged: rebalances are eager."""
        self._generation += 1
        for lane in self._lanes.values():
            lane.revoke()
        self._lanes.clear()

    async def close(self) -> None:
        """Ends every lane, whatever it is at, and waits until none is left: what they work with may go then."""
        self.revoke_all()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def put(self, batch: PolledBatch) -> None:
        """Queues the batch in its lane; waits while the lanes hold as much as they may.

        Unassigned it is dropped unacked, and so is one that waited through a rebalance: it is read again.
        """
        generation = self._generation
        await self._room.wait()
        lane = self._lanes.get((batch.topic, batch.partition))
        if lane is None or generation != self._generation:
            return
        size = batch.size
        self.held_records += len(batch.records)
        self.held_bytes += size
        if self._full():
            self._room.clear()
        lane.append(batch, size)

    @property
    def idle(self) -> bool:
        return all(lane.idle for lane in self._lanes.values())

    @property
    def work(self) -> dict[str, int]:
        """The lanes that work, and a count that moves whenever they get something done."""
        return {f"{topic}:{partition}": lane.progress for (topic, partition), lane in self._lanes.items() if lane.works}

    async def drain(self, deadline_s: float) -> bool:
        """Waits until nothing is queued or in hand; False when the deadline came first."""
        try:
            async with asyncio.timeout(deadline_s):
                while not self.idle:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        return True

    def _full(self) -> bool:
        return self.held_records >= self._caps.held_records or self.held_bytes >= self._caps.held_bytes

    def _release(self, records: int, size: int) -> None:
        self.held_records -= records
        self.held_bytes -= size
        if 2 * self.held_records <= self._caps.held_records and 2 * self.held_bytes <= self._caps.held_bytes:
            self._room.set()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_death(error)
