"""Lanes against a simple model: queues, what is in hand, the cap, and lanes that are taken away or lose their place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streams.core.batches import PlainRecord, PolledBatch
from streams.lanes import Caps, Lanes
from tests.histories.loop import VirtualLoop

CAPS = Caps(batch_records=6, held_records=10, held_bytes=10**6)
PARTITIONS = st.sampled_from(range(3))


class Work:
    """Lane work that waits until it is let through."""

    held, waits, steps = False, False, 0

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.revoked = False
        self.opened = 0
        self.hand: list[int] = []
        """First offsets of the batches in hand."""
        self.kept = True
        self.through = asyncio.Event()

    async def open(self) -> None:
        self.opened += 1

    async def handle(self, batches: Sequence[PolledBatch]) -> bool:
        assert not self.revoked, "a lane that was taken away begins nothing"
        self.hand = [batch.first for batch in batches]
        self.through.clear()
        await self.through.wait()
        self.hand = []
        return self.kept

    def revoke(self) -> None:
        self.revoked = True


class LanesMachine(RuleBasedStateMachine):
    """The model: queues of first offsets and sizes by partition, and whether there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.deaths: list[BaseException] = []
        self.all: list[Work] = []
        self.works: dict[int, Work] = {}
        self.sizes: dict[int, int] = {}
        self.queued: dict[int, list[int]] = {}
        self.in_hand: dict[int, list[int]] = {}
        """By number of the work in `all`; also of lanes that are gone."""
        self.opened: dict[int, int] = {}
        self.room = True
        self.number = 0
        self.waiting: tuple[asyncio.Task[None], int, int] | None = None
        self.lanes = Lanes(self._open, caps=CAPS, on_death=self.deaths.append)

    def _open(self, topic: str, partition: int) -> Work:
        work = Work(partition)
        self.all.append(work)
        return work

    def _settle(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0.001))

    def teardown(self) -> None:
        self.loop.run_until_complete(self.lanes.close())
        if self.waiting:
            self.waiting[0].cancel()
        self._settle()
        self.loop.close()
        assert self.deaths == []

    @initialize()
    def begin(self) -> None:
        self.assign({0, 1, 2})

    @rule(partitions=st.sets(PARTITIONS))
    def assign(self, partitions: set[int]) -> None:
        before = len(self.all)
        self.loop.run_until_complete(self._assign(partitions))
        self._drop_queues()
        if self.waiting:  # it is dropped, once there is room
            self.waiting = (self.waiting[0], -1, self.waiting[2])
        self.works = {work.partition: work for work in self.all[before:]}
        assert sorted(self.works) == sorted(partitions)
        self.queued = {partition: [] for partition in partitions}
        self._settle()
        self._after_room()

    async def _assign(self, partitions: set[int]) -> None:
        self.lanes.assign([("t", partition) for partition in sorted(partitions)])

    def _drop_queues(self) -> None:
        self.queued = {}
        self._look_at_room()

    @precondition(lambda self: self.waiting is None)
    @rule(partition=PARTITIONS, records=st.integers(1, 5))
    def put(self, partition: int, records: int) -> None:
        self.number += 1
        batch = PolledBatch("t", partition, self.number, self.number + 1, _records(records), False, lambda: None)
        self.sizes[self.number] = records
        task = self.loop.create_task(self.lanes.put(batch))
        self.waiting = (task, partition, self.number)
        self._settle()
        self._after_room()

    def _after_room(self) -> None:
        """The one put that may wait goes on when there is room."""
        assert self.waiting is None or self.waiting[0].done() == self.room or self.waiting[0].done()
        if self.waiting and self.room:
            _, partition, number = self.waiting
            self.waiting = None
            if partition in self.queued:
                self.queued[partition].append(number)
                if self._held() >= CAPS.held_records:
                    self.room = False
            self._settle()
        self._take()

    def _take(self) -> None:
        """A lane with nothing in hand takes what is queued, up to the batch limit, at least one."""
        for partition, queue in self.queued.items():
            number = self.all.index(self.works[partition])
            if not self.in_hand.get(number) and queue:
                taken = [queue.pop(0)]
                while queue and sum(self.sizes[one] for one in (*taken, queue[0])) <= CAPS.batch_records:
                    taken.append(queue.pop(0))
                self.in_hand[number] = taken

    @precondition(lambda self: any(self.in_hand.values()))
    @rule(data=st.data(), kept=st.booleans())
    def let_through(self, data: Any, kept: bool) -> None:
        number = data.draw(st.sampled_from([number for number, hand in self.in_hand.items() if hand]))
        work = self.all[number]
        work.kept = kept
        work.through.set()
        self.in_hand[number] = []
        self._look_at_room()
        self._take()  # before a put that waits for the room
        self.opened[number] = self.opened.get(number, 1) + (not kept)
        self._settle()
        self._after_room()

    def _held(self) -> int:
        waiting = [one for queue in self.queued.values() for one in queue]
        return sum(self.sizes[one] for one in (*waiting, *(one for hand in self.in_hand.values() for one in hand)))

    def _look_at_room(self) -> None:
        if 2 * self._held() <= CAPS.held_records:
            self.room = True

    @invariant()
    def agrees(self) -> None:
        assert {number: work.hand for number, work in enumerate(self.all) if work.hand} == {
            number: hand for number, hand in self.in_hand.items() if hand
        }
        assert self.lanes.held_records == self._held()
        assert self._held() < CAPS.held_records + 5 or not self.room
        assert (self.waiting is not None) <= (not self.room)
        assert all(work.revoked == (work not in self.works.values()) for work in self.all)
        assert all(
            work.opened == self.opened.get(number, 1) for number, work in enumerate(self.all) if not work.revoked
        )


def _records(count: int) -> list[PlainRecord]:
    return [PlainRecord(number, 0, b"h", b"v") for number in range(count)]


TestLanes = LanesMachine.TestCase
TestLanes.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
