"""Lanes keep order, take what is queued as one batch, and hold no more than their caps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streams.core.batches import PlainRecord, PolledBatch
from streams.lanes import Caps, Lanes


def batch(first: int, count: int = 1, partition: int = 0, size: int = 1) -> PolledBatch:
    records = [PlainRecord(first + at, 0, None, b"x" * size) for at in range(count)]
    return PolledBatch("t", partition, first, first + count, records, False, lambda: None)


class Gate:
    """Lane work that waits until it is let through, and remembers what it was given."""

    def __init__(self) -> None:
        self.open_gate = asyncio.Event()
        self.let_through = asyncio.Event()
        self.open_gate.set()
        self.taken: list[list[int]] = []
        self.revoked = False
        self.loses_its_place = False
        self.held = False
        self.waits = False
        self.steps = 0
        self.started = asyncio.Event()

    async def open(self) -> None:
        await self.open_gate.wait()

    async def handle(self, batches: Sequence[PolledBatch]) -> bool:
        self.taken.append([batch.first for batch in batches])
        self.started.set()
        await self.let_through.wait()
        return not self.loses_its_place

    def revoke(self) -> None:
        self.revoked = True


class World:
    def __init__(self, caps: Caps | None = None) -> None:
        self.work: dict[int, Gate] = {}
        self.deaths: list[BaseException] = []
        self.lanes = Lanes(self._open, caps=caps or Caps(), on_death=self.deaths.append)

    def _open(self, topic: str, partition: int) -> Gate:
        self.work[partition] = Gate()
        return self.work[partition]


async def test_what_is_queued_while_a_batch_is_in_hand_becomes_the_next_batch() -> None:
    world = World()
    world.lanes.assign([("t", 0)])
    await world.lanes.put(batch(0))
    await world.work[0].started.wait()
    for first in (1, 2, 3):
        await world.lanes.put(batch(first))
    world.work[0].let_through.set()
    assert await world.lanes.drain(5)
    assert world.work[0].taken == [[0], [1, 2, 3]]


async def test_a_batch_takes_at_most_its_limit() -> None:
    world = World(Caps(batch_records=10))
    world.lanes.assign([("t", 0)])
    world.work[0].open_gate.clear()
    for first in (0, 6, 12, 18):
        await world.lanes.put(batch(first, 6))
    world.work[0].open_gate.set()
    world.work[0].let_through.set()
    assert await world.lanes.drain(5)
    assert world.work[0].taken == [[0], [6], [12], [18]]


async def test_a_slow_lane_does_not_stop_another() -> None:
    world = World()
    world.lanes.assign([("t", 0), ("t", 1)])
    await world.lanes.put(batch(0, partition=0))
    await world.lanes.put(batch(0, partition=1))
    await world.work[1].started.wait()
    assert world.work[1].taken == [[0]]


@pytest.mark.parametrize("caps", [Caps(held_records=4), Caps(held_bytes=400)])
async def test_put_waits_at_the_cap_and_goes_on_below_half_of_it(caps: Caps) -> None:
    world = World(caps)
    world.lanes.assign([("t", 0)])
    await world.lanes.put(batch(0, 4, size=100))
    waiting = asyncio.ensure_future(world.lanes.put(batch(4)))
    await world.work[0].started.wait()
    assert not waiting.done()
    world.work[0].let_through.set()
    await asyncio.wait_for(waiting, 5)
    assert await world.lanes.drain(5)
    assert (world.lanes.held_records, world.lanes.held_bytes) == (0, 0)


async def test_a_revoked_lane_drops_what_it_has_queued_and_frees_the_room() -> None:
    world = World(Caps(held_records=4))
    world.lanes.assign([("t", 0)])
    await world.lanes.put(batch(0, 1))
    await world.work[0].started.wait()
    await world.lanes.put(batch(1, 3))
    gate = world.work[0]
    world.lanes.revoke_all()
    assert gate.revoked
    assert world.lanes.held_records == 1  # only what is in hand
    await world.lanes.put(batch(9))  # nobody's partition: dropped
    assert gate.taken == [[0]]


async def test_a_batch_that_waited_at_the_cap_through_a_rebalance_is_read_again() -> None:
    """Found by a history: with the old log's last record it vouched for the log that had replaced it."""
    world = World(Caps(held_records=2))
    world.lanes.assign([("t", 0)])
    await world.lanes.put(batch(0, 2))
    waiting = asyncio.ensure_future(world.lanes.put(batch(2, 2)))
    await world.work[0].started.wait()
    world.work[0].let_through.set()
    world.lanes.assign([("t", 0)])
    await waiting
    await world.lanes.put(batch(0, 1))
    await world.work[0].started.wait()
    world.work[0].let_through.set()
    assert await world.lanes.drain(5)
    assert world.work[0].taken == [[0]]


async def test_a_lane_that_dies_is_reported() -> None:
    world = World()

    class Broken(Gate):
        async def handle(self, batches: Sequence[PolledBatch]) -> bool:
            raise ZeroDivisionError

    world._open = lambda topic, partition: Broken()  # type: ignore[method-assign]
    world.lanes = Lanes(world._open, caps=Caps(), on_death=world.deaths.append)
    world.lanes.assign([("t", 0)])
    await world.lanes.put(batch(0))
    async with asyncio.timeout(5):
        while not world.deaths:
            await asyncio.sleep(0)
    assert isinstance(world.deaths[0], ZeroDivisionError)


async def test_drain_gives_up_at_its_deadline() -> None:
    world = World()
    world.lanes.assign([("t", 0)])
    await world.lanes.put(batch(0))
    await world.work[0].started.wait()
    assert not await world.lanes.drain(0.05)


async def test_a_lane_that_lost_its_place_opens_again_and_holds_up_no_drain() -> None:
    world = World()
    world.lanes.assign([("t", 0)])
    await world.lanes.put(batch(0))
    work = world.work[0]
    await work.started.wait()
    work.loses_its_place = True
    work.open_gate.clear()
    work.let_through.set()
    assert await world.lanes.drain(1.0)
    assert world.lanes.held_records == 0
    await world.lanes.put(batch(1))
    assert await world.lanes.drain(0.1)
    work.open_gate.set()
    async with asyncio.timeout(5):
        while len(work.taken) < 2:
            await asyncio.sleep(0.01)
    assert work.taken == [[0], [1]]


async def test_a_lane_that_is_held_on_purpose_holds_up_no_drain() -> None:
    world = World()
    world.lanes.assign([("t", 0)])
    await world.lanes.put(batch(0))
    await world.work[0].started.wait()
    assert not await world.lanes.drain(0.05)
    world.work[0].held = True
    assert await world.lanes.drain(0.05)
    world.lanes.revoke_all()
    world.work[0].let_through.set()


async def test_work_is_what_lanes_have_to_do_and_nothing_holds_back() -> None:
    world = World()
    world.lanes.assign([("t", 0), ("t", 1)])
    await asyncio.sleep(0)
    assert world.lanes.work == {}
    await world.lanes.put(batch(0))
    await world.work[0].started.wait()
    before = world.lanes.work
    assert list(before) == ["t:0"]
    world.work[0].steps += 1
    assert world.lanes.work["t:0"] > before["t:0"]
    world.work[0].waits = True
    assert world.lanes.work == {}
    world.work[0].waits = False
    await world.lanes.put(batch(1))
    world.work[0].started.clear()
    before = world.lanes.work
    world.work[0].let_through.set()
    await world.work[0].started.wait()
    assert world.lanes.work.get("t:0", before["t:0"] + 1) > before["t:0"]


async def test_a_lane_that_looks_for_its_place_works() -> None:
    world = World()
    world.lanes.assign([("t", 0)])
    world.work[0].open_gate.clear()
    await asyncio.sleep(0)
    assert list(world.lanes.work) == ["t:0"]


@pytest.mark.parametrize("opening", [True, False])
async def test_when_closed_no_lane_is_left_that_could_use_what_is_gone(opening: bool) -> None:
    world = World()
    world.lanes.assign([("t", 0)])
    if opening:
        world.work[0].open_gate.clear()
    await world.lanes.put(batch(0))
    if not opening:
        await world.work[0].started.wait()
    before = asyncio.all_tasks()
    await world.lanes.close()
    assert world.work[0].revoked
    assert not {task for task in before if task.get_name().startswith("lane") and not task.done()}
    assert (world.lanes.held_records, world.deaths) == (0, [])
