"""Intake: pauses and gate follow backlog and configuration; resuming takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import structs

from schemas.config import DynamicConfig
from schemas.errors import StoreUnavailable
from streams.core.backpressure import Level
from streams.core.ports import BacklogReader
from streams.intake import Intake
from streams.metrics import REGISTRY
from streams.pauses import PauseReason, Pauses
from tests.contracts.backlog import BacklogContract, Waiting
from tests.fakes_match import FakeBacklog, FixedClock

HERE, THERE = ("mutt.ingest.syslog", 0), ("mutt.ingest.syslog", 1)
SMALL = DynamicConfig(
    alerter_queue_warn_threshold=10, alerter_queue_shed_threshold=20, alerter_queue_hard_limit=100,
    alerter_defer_sleep_ms=1000,
)  # fmt: skip
DEFER = structs.replace(SMALL, alerter_shed_mode="defer")


class World:
    def __init__(self, config: DynamicConfig, spread: float = 0.5, fleet_partitions: int = 2) -> None:
        self.config = config
        self.clock = FixedClock()
        self.reader = FakeBacklog()
        self.pauses = Pauses(self.clock)
        self.intake = Intake(
            reader=self.reader,
            pauses=self.pauses,
            config=lambda: self.config,
            clock=self.clock,
            fleet_partitions=fleet_partitions,
            spread=lambda: spread,
        )
        self.intake.assign([HERE, THERE])

    async def waiting(self, alerts: int) -> None:
        self.reader.waiting = alerts
        await self.intake.count()

    def paused(self, reason: PauseReason) -> bool:
        count = self.pauses.count(reason)
        assert count in (0, 2)
        assert self.intake.open is not bool(self.pauses.wanted)
        return count == 2


class TestFakeBacklog(BacklogContract):
    @pytest.fixture
    def waiting(self) -> Waiting:
        return _FakeAlerts()


class _FakeAlerts:
    def __init__(self) -> None:
        self.fake = FakeBacklog()

    @property
    def reader(self) -> BacklogReader:
        return self.fake

    async def add(self, pending: int, delivered: int = 0) -> None:
        self.fake.waiting += pending


async def test_the_gate_is_what_lanes_wait_at_when_the_room_changes_by_itself() -> None:
    """Configuration and assignment change the room between two looks; a lane that is told "shut" must then wait."""
    world = World(DEFER)
    await world.waiting(15)
    for change in (structs.replace(DEFER, alerter_queue_shed_threshold=12), DEFER):
        world.config = change
        assert world.intake.open is await world.intake.opened()
        world.intake.apply()
        assert world.intake.open is await world.intake.opened()


async def test_defer_pauses_at_shed_and_resumes_below_warn_after_a_jittered_while() -> None:
    world = World(DEFER)
    await world.waiting(19)
    assert not world.paused(PauseReason.BACKLOG)
    await world.waiting(20)
    assert world.paused(PauseReason.BACKLOG)
    await world.waiting(10)
    assert world.paused(PauseReason.BACKLOG)
    await world.waiting(9)
    assert world.paused(PauseReason.BACKLOG)
    world.clock.seconds += 0.5
    world.intake.apply()
    assert not world.paused(PauseReason.BACKLOG)


async def test_a_backlog_that_rises_again_before_resuming_stays_paused() -> None:
    world = World(DEFER)
    await world.waiting(20)
    await world.waiting(9)
    await world.waiting(20)
    world.clock.seconds += 10
    await world.waiting(9)
    assert world.paused(PauseReason.BACKLOG)


async def test_mode_dlq_pauses_only_at_the_hard_limit() -> None:
    world = World(SMALL, spread=0.0)
    await world.waiting(99)
    assert not world.paused(PauseReason.BACKLOG)
    await world.waiting(5000)
    assert world.paused(PauseReason.BACKLOG)
    assert world.intake.depth == 101
    await world.waiting(61)
    assert world.paused(PauseReason.BACKLOG)
    await world.waiting(60)
    assert not world.paused(PauseReason.BACKLOG)


async def test_what_a_lane_decides_closes_the_gate_before_any_count() -> None:
    world = World(DEFER)
    world.intake.apply()
    assert await world.intake.opened()
    world.intake.expect(20)
    assert world.paused(PauseReason.BACKLOG)
    assert not await world.intake.opened()
    world.intake.committed(20)
    await world.waiting(0)
    world.clock.seconds += 1
    world.intake.apply()
    assert await world.intake.opened()


async def test_a_worker_uses_its_share_of_the_room_and_counts_again_before_it_goes_on() -> None:
    world = World(DEFER, fleet_partitions=8)
    world.reader.waiting = 4
    async with running(world.intake), asyncio.timeout(5):
        await world.intake.first()
        world.intake.expect(3)
        assert world.intake.open
        world.intake.expect(1)
        assert not world.intake.open
        assert not world.pauses.wanted
        world.intake.committed(4)
        world.reader.waiting = 8
        assert await opens(world.intake)


async def test_alerts_that_a_count_may_have_seen_close_the_gate_and_pause_nothing() -> None:
    world = World(DEFER)
    world.intake.expect(15)
    await world.waiting(15)
    assert (world.intake.depth, world.intake.open) == (30, False)
    assert not world.pauses.wanted
    world.intake.committed(15)
    await world.waiting(15)
    assert world.intake.open


async def test_without_need_it_is_counted_at_the_pace_that_was_set() -> None:
    world = World(structs.replace(DEFER, alerter_defer_sleep_ms=60_000))
    async with running(world.intake), asyncio.timeout(5):
        await world.intake.first()
        await asyncio.sleep(0.1)
    assert world.reader.counts == 1


async def opens(intake: Intake) -> bool:
    while not await intake.opened():
        pass
    return True


async def test_an_operator_pauses_and_resumes() -> None:
    world = World(SMALL, spread=0.0)
    world.config = structs.replace(SMALL, ingest_paused=True)
    world.intake.apply()
    assert world.paused(PauseReason.OPERATOR)
    assert [(pause.topic, pause.reason) for pause in world.pauses.current] == [(HERE[0], PauseReason.OPERATOR)] * 2
    world.config = SMALL
    world.intake.apply()
    assert not world.paused(PauseReason.OPERATOR)


async def test_either_reason_holds_intake_until_both_are_gone() -> None:
    world = World(structs.replace(DEFER, ingest_paused=True), spread=0.0)
    await world.waiting(20)
    world.config = DEFER
    world.intake.apply()
    assert not world.intake.open
    await world.waiting(0)
    assert world.intake.open


async def test_new_partitions_are_paused_when_they_come() -> None:
    world = World(DEFER)
    await world.waiting(20)
    world.pauses.drop_all()
    world.intake.assign([THERE])
    assert world.pauses.wanted == {THERE}


async def test_thresholds_changed_under_load_count_at_once() -> None:
    world = World(DEFER, spread=0.0)
    await world.waiting(50)
    assert world.paused(PauseReason.BACKLOG)
    world.config = structs.replace(DEFER, alerter_queue_warn_threshold=60, alerter_queue_shed_threshold=70)
    world.intake.apply()
    assert not world.paused(PauseReason.BACKLOG)
    world.config = DEFER
    world.intake.apply()
    assert world.paused(PauseReason.BACKLOG)
    world.config = SMALL
    world.intake.apply()
    assert not world.paused(PauseReason.BACKLOG)


async def test_each_threshold_crossed_is_counted_once_each_way() -> None:
    def crossings() -> dict[tuple[str, str], float]:
        name = "mutt_backlog_crossings_total"
        return {
            (step, way): REGISTRY.get_sample_value(name, {"threshold": step, "direction": way}) or 0.0
            for step in ("warn", "shed", "hard")
            for way in ("up", "down")
        }

    before = crossings()
    world = World(SMALL)
    for depth in (12, 9, 10, 100, 8, 12):
        await world.waiting(depth)
    moved = {key: count - before[key] for key, count in crossings().items()}
    assert moved == {
        ("warn", "up"): 2, ("warn", "down"): 1,
        ("shed", "up"): 1, ("shed", "down"): 1,
        ("hard", "up"): 1, ("hard", "down"): 1,
    }  # fmt: skip
    assert world.intake.level is Level.WARN


@asynccontextmanager
async def running(intake: Intake) -> AsyncIterator[None]:
    task = asyncio.create_task(intake.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_database_that_is_away_is_asked_again_and_the_last_count_stands() -> None:
    world = World(structs.replace(DEFER, alerter_defer_sleep_ms=10))
    await world.waiting(20)
    world.reader.faults = [StoreUnavailable("away")] * 3
    async with running(world.intake), asyncio.timeout(5):
        while world.reader.faults:
            await asyncio.sleep(0.01)
            assert world.paused(PauseReason.BACKLOG)
        await world.intake.first()


def test_seconds_paused_add_up_by_reason() -> None:
    pauses = Pauses(FixedClock())
    name, labels = "mutt_partitions_paused_seconds_total", {"reason": "backlog"}
    before = REGISTRY.get_sample_value(name, labels) or 0.0
    pauses.want(HERE, PauseReason.BACKLOG)
    pauses.want(THERE, PauseReason.BACKLOG)
    pauses.want(THERE, PauseReason.SINK)
    pauses.measure(1.5)
    assert (REGISTRY.get_sample_value(name, labels) or 0.0) - before == 3.0
    assert REGISTRY.get_sample_value("mutt_partitions_paused", {"reason": "sink"}) == 1
