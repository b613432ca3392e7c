"""A lane of the match worker: redelivery, gaps, faults and halts, on fakes of its ports."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from schemas.config import DynamicConfig
from schemas.errors import BrokerUnavailable, RowRefused, StoreUnavailable
from schemas.events import Disposition
from streams.agents.match_lane import Matching, MatchLane
from streams.core.batches import CorruptBatch, PlainRecord, PolledBatch, Record
from streams.core.matching import Knowledge
from streams.core.progress import Progress
from streams.core.work import Decided, fingerprint
from streams.intake import Intake
from streams.metrics import REGISTRY
from streams.pauses import PauseReason, Pauses
from tests.builders import event_json, rule, rule_set
from tests.fakes_match import FakeBacklog, FakeBatchStore, FakeLog, FakeOutbox, FixedClock

TOPIC = "mutt.ingest.syslog"
HERE = (TOPIC, 0)


def record(offset: int, message: str = "link down") -> PlainRecord:
    return PlainRecord(offset, 1_772_366_400_000, b"h1", event_json(message=f"{message} {offset}"))


class World:
    def __init__(self) -> None:
        self.store = FakeBatchStore()
        self.outbox = FakeOutbox()
        self.log = FakeLog()
        self.pauses = Pauses()
        self.acked: list[tuple[int, int]] = []
        self.config = DynamicConfig()
        self.matcher = Knowledge.of(rule_set(rule()))
        self.backlog = FakeBacklog()
        self.intake = Intake(
            reader=self.backlog,
            pauses=self.pauses,
            config=lambda: self.config,
            clock=FixedClock(),
            fleet_partitions=1,
            spread=lambda: 0.0,
        )
        self.intake.assign([HERE])
        self.intake.apply()
        self.matching = Matching(
            store=self.store,
            outbox=self.outbox,
            log_position=self.log,
            knowledge=self.knowledge,
            pauses=self.pauses,
            intake=self.intake,
            clock=FixedClock(),
            refused_offset=_refused_offset,
            transactions=1,
            fenced_rest_s=0.01,
        )

    def knowledge(self) -> Knowledge:
        return self.matcher.follow(rule_set(rule(), config=self.config))

    async def lane(self, progress: Progress | None = None) -> MatchLane:
        if progress is not None:
            self.store.stands[HERE] = progress
        lane = self.matching.lane(*HERE)
        await lane.open()
        return lane

    def batch(self, first: int, *records: Record, rewound: bool = False) -> PolledBatch:
        after = records[-1].offset + 1
        return PolledBatch(TOPIC, 0, first, after, records, rewound, lambda: self.acked.append((first, after)))

    @property
    def audited(self) -> list[int]:
        return [row[2] for row in self.store.audit]

    @property
    def halted(self) -> str | None:
        return self.store.stands[HERE].halted


def _refused_offset(decided: Decided, refused: RowRefused) -> int:
    assert refused.line is not None
    return int(decided.audit[refused.line - 1][2])


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def eventually_gone(world: World, task: asyncio.Task[bool]) -> bool:
    """Whatever waits is delivered again and again, until the lane is done."""
    async with asyncio.timeout(5):
        while not task.done():
            await world.intake.count()
            await asyncio.sleep(0.01)
    return await task


async def until_halted(world: World, lane: MatchLane, *batches: PolledBatch) -> asyncio.Task[bool]:
    """Runs the lane into a halt."""
    task = asyncio.ensure_future(lane.handle(list(batches)))
    await eventually(lambda: world.halted is not None)
    return task


async def end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_new_partition_begins_at_the_start_of_its_log() -> None:
    world = World()
    world.log.begin = 40
    await world.lane()
    assert world.store.stands[HERE].next_offset == 40
    assert world.log.seeks == [40]
    assert world.pauses.wanted == frozenset()


async def test_a_batch_is_committed_published_and_acknowledged() -> None:
    world = World()
    lane = await world.lane()
    await lane.handle([world.batch(0, record(0), record(1)), world.batch(2, record(2))])
    assert world.audited == [0, 1, 2]
    assert len(world.outbox.published) == 3
    assert world.acked == [(0, 2), (2, 3)]
    assert len(world.store.committed) == 1


async def test_redelivery_changes_nothing() -> None:
    world = World()
    lane = await world.lane()
    batch = world.batch(0, record(0), record(1))
    await lane.handle([batch])
    await lane.handle([batch])
    assert world.audited == [0, 1]
    assert len(world.store.committed) == 1
    assert world.acked == [(0, 2), (0, 2)]


async def test_records_read_from_above_make_the_consumer_seek_back() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=10))
    await lane.handle([world.batch(20, record(20))])
    assert world.log.seeks[-1] == 10
    assert (world.audited, world.acked) == ([], [])


async def test_a_hole_in_the_log_is_recorded_as_missing() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=10))
    await lane.handle([world.batch(10, record(13), record(14))])
    assert world.store.committed[0].missing == 3
    assert world.store.stands[HERE].next_offset == 15


async def test_leftovers_of_an_earlier_owner_are_published_first() -> None:
    world = World()
    letter = uuid.UUID(int=1)
    world.outbox.pending = [letter]
    await world.lane()
    assert world.outbox.published == [letter]


async def test_another_owner_moved_the_partition() -> None:
    world = World()
    lane = await world.lane()
    world.store.stands[HERE] = Progress(next_offset=2)  # a zombie's commit while we were decided
    await lane.handle([world.batch(0, record(0), record(1), record(2))])
    assert world.audited == [2]
    assert world.acked == [(0, 3)]


@pytest.mark.parametrize("away", [False, True])
async def test_a_zombie_that_was_fenced_writes_nothing_before_it_is_told(away: bool) -> None:
    """Found by a history: it went on with what the new owner had not done yet."""
    world = World()
    world.matching.fenced_rest_s = 0.2
    lane = await world.lane()
    world.store.stands[HERE] = Progress(next_offset=2)
    world.store.faults = [StoreUnavailable("the connection froze too")] * away
    task = asyncio.ensure_future(lane.handle([world.batch(0, record(0), record(1), record(2))]))
    await asyncio.sleep(0.1)
    lane.revoke()
    assert await task
    assert (world.audited, world.acked) == ([], [])


async def test_the_database_away_is_waited_for() -> None:
    world = World()
    lane = await world.lane()
    world.store.faults = [StoreUnavailable("down"), StoreUnavailable("down")]
    await lane.handle([world.batch(0, record(0))])
    assert world.audited == [0]
    assert world.store.committed[0].counts[Disposition.REJECTED] == 0
    assert world.pauses.wanted == frozenset()


async def test_an_unknown_commit_that_took_place_is_not_repeated() -> None:
    world = World()
    lane = await world.lane()
    world.store.lost_answers = [StoreUnavailable("connection lost at COMMIT")]
    await lane.handle([world.batch(0, record(0), record(1))])
    assert world.audited == [0, 1]
    assert world.acked == [(0, 2)]


async def test_kafka_away_while_publishing_is_waited_for() -> None:
    world = World()
    lane = await world.lane()
    world.outbox.faults = [BrokerUnavailable("no answer"), BrokerUnavailable("no answer")]
    await lane.handle([world.batch(0, record(0))])
    assert len(world.outbox.published) == 1
    assert world.acked == [(0, 1)]
    assert world.pauses.wanted == frozenset()


async def test_a_refused_row_becomes_a_letter_and_the_rest_goes_through() -> None:
    world = World()
    world.store.refuse = {1}
    lane = await world.lane()
    await lane.handle([world.batch(0, record(0), record(1), record(2))])
    assert world.audited == [0, 2]
    assert [letter.reason for letter in world.store.committed[0].letters] == ["database_value"]


async def test_a_log_that_ends_below_our_position_halts_and_goes_on_after_a_reset() -> None:
    world = World()
    world.log.end = 5
    world.store.stands[HERE] = Progress(next_offset=10)
    opening = asyncio.ensure_future(world.matching.lane(*HERE).open())
    await eventually(lambda: world.halted is not None)
    assert "ends at 5" in (world.halted or "")
    await eventually(lambda: world.pauses.has(HERE, PauseReason.HALTED))
    world.store.stands[HERE] = Progress(next_offset=0, epoch=1)
    await asyncio.wait_for(opening, 5)
    assert world.log.seeks == [0]
    assert world.pauses.wanted == frozenset()


class _MovingStore(FakeBatchStore):
    """While the place is asked for, another owner does what was written since."""

    def __init__(self, log: FakeLog) -> None:
        super().__init__()
        self._log = log

    async def progress(self, topic: str, partition: int) -> Progress | None:
        self._log.end = 120
        self.stands[topic, partition] = Progress(next_offset=120)
        return await super().progress(topic, partition)


async def test_what_another_owner_does_while_the_place_is_read_is_no_truncated_log() -> None:
    """Found by a history: bounds read before, progress after; a healthy partition was halted for all workers."""
    world = World()
    world.log.end = 100
    world.matching.store = store = _MovingStore(world.log)
    await world.matching.lane(*HERE).open()
    assert store.stands[HERE].halted is None
    assert world.log.seeks == [120]


async def test_a_revoked_lane_halts_nothing() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=2, last_sha256=fingerprint(record(1, "another"))))
    lane.revoke()
    assert await lane.handle([world.batch(1, record(1), record(2))])
    assert world.halted is None


async def test_a_replaced_log_halts() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=2, last_sha256=fingerprint(record(1, "another"))))
    assert world.log.seeks == [1]
    task = await until_halted(world, lane, world.batch(1, record(1), record(2)))
    assert "replaced" in (world.halted or "")
    assert world.audited == []
    await end(task)


async def test_the_same_log_goes_on() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=2, last_sha256=fingerprint(record(1))))
    await lane.handle([world.batch(1, record(1), record(2))])
    assert world.audited == [2]


async def test_a_replaced_log_is_noticed_though_older_records_were_read_before_the_seek() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=3, last_sha256=fingerprint(record(2, "another"))))
    assert await lane.handle([world.batch(0, record(0), record(1))])
    task = await until_halted(world, lane, world.batch(2, record(2), record(3)))
    assert "replaced" in (world.halted or "")
    assert world.audited == []
    await end(task)


async def test_a_replaced_log_is_noticed_though_newer_records_were_read_before_the_seek() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=2, last_sha256=fingerprint(record(1, "another"))))
    world.log.seeks.clear()
    assert await lane.handle([world.batch(2, record(2))])
    assert (world.audited, world.acked, world.log.seeks) == ([], [], [1])
    task = await until_halted(world, lane, world.batch(1, record(1), record(2)))
    assert "replaced" in (world.halted or "")
    await end(task)


async def test_a_log_whose_last_record_done_is_gone_goes_on() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=2, last_sha256=fingerprint(record(1))))
    await lane.handle([world.batch(1, record(2))])
    await lane.handle([world.batch(3, record(3))])
    assert world.audited == [2, 3]


async def test_an_owner_from_before_the_log_was_replaced_commits_last_and_the_partition_halts() -> None:
    world = World()
    lane = await world.lane()
    world.store.stands[HERE] = Progress(next_offset=2, last_sha256=fingerprint(record(1, "another")))
    task = await until_halted(world, lane, world.batch(0, record(0), record(1), record(2)))
    assert "replaced" in (world.halted or "")
    assert world.audited == []
    await end(task)


async def test_an_owner_from_before_the_log_was_replaced_by_a_shorter_one_commits_last_and_it_halts() -> None:
    """Found by a history: what had come into the new log waited for a record at an offset it did not have yet."""
    world = World()
    lane = await world.lane()
    world.store.stands[HERE] = Progress(next_offset=4, last_sha256=fingerprint(record(3, "another")))
    world.log.end = 2
    task = await until_halted(world, lane, world.batch(0, record(0), record(1)))
    assert "ends at 2" in (world.halted or "")
    await end(task)


@pytest.mark.parametrize("good", [0, 2])
async def test_K15_a_corrupt_batch_halts_after_what_was_good(good: int) -> None:
    world = World()
    lane = await world.lane()
    records: list[Record] = [*(record(at) for at in range(good)), CorruptBatch(good, 0, "its checksum is wrong")]
    task = await until_halted(world, lane, world.batch(0, *records))
    assert world.audited == list(range(good))
    assert world.acked == []
    await end(task)


async def test_a_log_that_goes_back_halts() -> None:
    world = World()
    lane = await world.lane(Progress(next_offset=5))
    task = await until_halted(world, lane, world.batch(0, record(0), rewound=True))
    assert "went back" in (world.halted or "")
    await end(task)


async def test_a_revoked_lane_acknowledges_nothing() -> None:
    world = World()
    lane = await world.lane()
    lane.revoke()
    await lane.handle([world.batch(0, record(0))])
    assert world.acked == []


async def test_a_revoked_lane_does_not_wait_for_the_database() -> None:
    world = World()
    lane = await world.lane()
    world.store.faults = [StoreUnavailable("down")] * 100
    task = asyncio.ensure_future(lane.handle([world.batch(0, record(0))]))
    await eventually(lambda: world.pauses.has(HERE, PauseReason.SINK))
    lane.revoke()
    await asyncio.wait_for(task, 10)
    assert world.acked == []


SMALL = {"alerter_queue_warn_threshold": 2, "alerter_queue_shed_threshold": 4, "alerter_queue_hard_limit": 100}


async def test_I6_deferring_a_lane_stops_after_the_batch_that_crosses_and_goes_on_when_the_backlog_is_gone() -> None:
    world = World()
    world.config = DynamicConfig(**SMALL, alerter_shed_mode="defer")
    lane = await world.lane()
    assert await lane.handle([world.batch(0, *(record(at) for at in range(5)))])
    assert world.pauses.has(HERE, PauseReason.BACKLOG)
    task = asyncio.ensure_future(lane.handle([world.batch(5, record(5))]))
    await eventually(lambda: lane.held)
    assert world.audited == [0, 1, 2, 3, 4]
    await world.intake.count()
    assert await task
    assert world.audited == [0, 1, 2, 3, 4, 5]
    assert not world.pauses.wanted


async def test_I6_deferring_a_large_batch_is_taken_in_parts_until_intake_pauses() -> None:
    world = World()
    world.config = DynamicConfig(
        alerter_queue_warn_threshold=50, alerter_queue_shed_threshold=150, alerter_shed_mode="defer"
    )
    lane = await world.lane()
    task = asyncio.ensure_future(lane.handle([world.batch(0, *(record(at) for at in range(400)))]))
    await eventually(lambda: lane.held)
    assert [len(decided.alerts) for decided in world.store.committed] == [150]
    assert world.acked == []
    await world.intake.count()
    assert await eventually_gone(world, task)
    assert [len(decided.alerts) for decided in world.store.committed] == [150, 150, 100]
    assert world.audited == list(range(400))
    assert world.acked == [(0, 400)]


async def test_I6_in_mode_dlq_alerts_beyond_the_threshold_are_shed_as_letters() -> None:
    world = World()
    world.config = DynamicConfig(**SMALL)
    lane = await world.lane()
    await lane.handle([world.batch(0, *(record(at) for at in range(12)))])
    (decided,) = world.store.committed
    assert (decided.counts[Disposition.ALERTED], decided.counts[Disposition.SHED]) == (
        7,
        5,
    )  # without a severity of its own an event counts as 4
    assert world.intake.depth == 7
    assert world.acked == [(0, 12)]


async def test_alerts_of_a_commit_that_failed_are_not_counted_as_waiting() -> None:
    world = World()
    lane = await world.lane()
    world.store.faults = [StoreUnavailable("away")]
    await lane.handle([world.batch(0, record(0), record(1))])
    assert world.intake.depth == 2


async def test_a_commit_that_takes_long_pauses_its_partition_until_it_is_done() -> None:
    world = World()
    world.matching.slow_commit_s = 0.01
    lane = await world.lane()
    world.store.answers = asyncio.Event()
    task = asyncio.ensure_future(lane.handle([world.batch(0, record(0))]))
    await eventually(lambda: world.pauses.has(HERE, PauseReason.SINK))
    world.store.answers.set()
    assert await task
    assert not world.pauses.wanted
    assert world.acked == [(0, 1)]


async def test_a_lane_revoked_while_intake_is_closed_ends_with_nothing_begun() -> None:
    world = World()
    world.config = DynamicConfig(ingest_paused=True)
    world.intake.apply()
    lane = await world.lane()
    task = asyncio.ensure_future(lane.handle([world.batch(0, record(0))]))
    await eventually(lambda: lane.held)
    lane.revoke()
    assert await task
    assert (world.audited, world.acked, lane.held) == ([], [], False)


class _DefectiveMatcher(Knowledge):
    """Judging fails on every record."""

    def judge_all(self, events: object) -> NoReturn:
        raise ZeroDivisionError("judging")


async def test_I7_twenty_failures_of_our_own_halt_the_partition_over_any_number_of_batches() -> None:
    world = World()
    defective = _DefectiveMatcher(world.matcher.rule_set, world.matcher.matcher)
    world.matching.knowledge = lambda: defective
    lane = await world.lane()
    before = REGISTRY.get_sample_value("mutt_internal_halts_total") or 0
    assert await lane.handle([world.batch(0, *(record(at) for at in range(15)))])
    task = await until_halted(world, lane, world.batch(15, *(record(at) for at in range(15, 30))))
    assert not await task
    assert "a defect in mutt" in (world.halted or "")
    assert world.store.stands[HERE].next_offset == 20
    assert world.acked == [(0, 15)]
    assert world.pauses.has(HERE, PauseReason.HALTED)
    assert (REGISTRY.get_sample_value("mutt_internal_halts_total") or 0) - before == 1


class _SlowStore(FakeBatchStore):
    """A commit takes until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let_through = asyncio.Event(), asyncio.Event()

    async def commit(self, decided: Decided, progress: Progress) -> Progress:
        self.begun.set()
        await self.let_through.wait()
        return await super().commit(decided, progress)


async def test_a_lane_waits_rightly_for_its_turn_and_not_for_its_own_transaction() -> None:
    world = World()
    world.matching.store = slow = _SlowStore()
    first, second = world.matching.lane(TOPIC, 0), world.matching.lane(TOPIC, 1)
    await first.open()
    await second.open()
    tasks = [asyncio.ensure_future(first.handle([world.batch(0, record(0))]))]
    await slow.begun.wait()
    other = PolledBatch(TOPIC, 1, 0, 1, [record(0)], False, lambda: None)
    tasks.append(asyncio.ensure_future(second.handle([other])))
    await eventually(lambda: second.waits)
    assert not first.waits
    slow.let_through.set()
    await asyncio.gather(*tasks)
    assert not second.waits


async def test_a_lane_waits_rightly_for_the_database_and_for_an_open_intake() -> None:
    world = World()
    lane = await world.lane()
    world.store.faults = [StoreUnavailable("down")] * 2
    task = asyncio.ensure_future(lane.handle([world.batch(0, record(0))]))
    await eventually(lambda: lane.waits)
    await task
    assert not lane.waits
    world.config = DynamicConfig(ingest_paused=True)
    world.intake.apply()
    task = asyncio.ensure_future(lane.handle([world.batch(1, record(1))]))
    await eventually(lambda: lane.waits)
    lane.revoke()
    await task


async def test_a_commit_whose_outcome_was_unknown_leaves_no_pause() -> None:
    world = World()
    lane = await world.lane()
    world.store.lost_answers = [StoreUnavailable("the answer was lost")]
    assert await lane.handle([world.batch(0, record(0))])
    assert world.acked == [(0, 1)]
    assert (world.pauses.wanted, lane.waits) == (frozenset(), False)


async def test_each_refused_row_of_a_batch_is_a_step() -> None:
    world = World()
    lane = await world.lane()
    world.store.refuse = {0, 1}
    await lane.handle([world.batch(0, record(0), record(1), record(2))])
    assert lane.steps == 2
