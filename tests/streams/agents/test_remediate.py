"""Remediation's rounds, on fakes: what it asks before it sends, when it rests, and what it says when it stops."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from schemas.config import DynamicConfig
from schemas.dead_letters import Reason
from schemas.errors import BrokerUnavailable
from streams import metrics
from streams.agents.remediate import Outside, Remediator
from streams.core.delivery import Answer, Fault
from streams.core.remediation import Activity, Posts
from tests.contracts.letter_replays import LetterReplaysContract, Letters
from tests.contracts.parked_outbox import Parked, ParkedOutboxContract
from tests.contracts.receiver_probe import Asked, ReceiverProbeContract
from tests.fakes_forward import FakeTime
from tests.fakes_match import FakeBacklog
from tests.fakes_remediation import FakeLetterReplays, FakeParkedOutbox, FakeProbe

CONFIG = DynamicConfig(
    remediation_interval=30,
    remediation_batch_size=10,
    remediation_backoff_base=60,
    alerter_queue_warn_threshold=1000,
)


class World:
    def __init__(self) -> None:
        self.time = FakeTime()
        self.replays = FakeLetterReplays()
        self.parked = FakeParkedOutbox()
        self.backlog = FakeBacklog()
        self.probe = FakeProbe()
        self.config = CONFIG
        self.remediator = self.another()

    def another(self) -> Remediator:
        """An instance that begins now."""
        outside = Outside(replays=self.replays, parked=self.parked, backlog=self.backlog, probe=self.probe)
        return Remediator(outside, lambda: self.config, self.time)

    async def passes(self, seconds: int) -> list[Any]:
        """Lets the time pass tick by tick; returns what was logged."""
        with capture_logs() as logs:
            for _ in range(seconds):
                await self.time.advance(1.0)
                self.replays.seconds = self.time.seconds
                await self.remediator.tick()
        return [entry["event"] for entry in logs]

    @property
    def sent(self) -> list[tuple[Reason, int]]:
        return [(replay.reason, replay.taken) for replay in self.replays.done]


async def test_a_batch_an_interval_is_sent_while_all_is_well() -> None:
    world = World()
    world.replays.add(25)
    await world.passes(29)
    assert world.sent == []
    for batch in range(3):
        await world.passes(1)
        assert len(world.sent) == batch + 1
        world.replays.judge(well=10)
        await world.passes(29)
    assert world.sent == [(Reason.SHED, 10), (Reason.SHED, 10), (Reason.SHED, 5)]


async def test_shed_events_go_before_refused_alerts_and_both_within_one_batch() -> None:
    world = World()
    world.replays.add(3, Reason.DELIVERY)
    world.replays.add(8)
    await world.passes(30)
    assert world.sent == [(Reason.SHED, 8), (Reason.DELIVERY, 2)]
    world.replays.judge(well=10)
    await world.passes(30)
    world.replays.add(12)
    world.replays.add(1, Reason.DELIVERY)
    world.replays.judge(well=1)
    await world.passes(30)
    assert world.sent[2:] == [(Reason.DELIVERY, 1), (Reason.SHED, 10)]


async def test_nobody_is_asked_while_there_is_nothing_to_send() -> None:
    world = World()
    await world.passes(100)
    assert world.probe.asked == 0


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(status=429), Answer(fault=Fault.CONNECTION)])
async def test_a_receiver_that_is_not_well_is_left_alone_longer_each_time(answer: Answer) -> None:
    world = World()
    world.replays.add(1)
    world.probe.default = answer
    await world.passes(30)
    assert world.probe.asked == 1
    await world.passes(59)
    assert world.probe.asked == 1
    await world.passes(1)
    assert world.probe.asked == 2
    await world.passes(119)
    assert world.probe.asked == 2
    assert metrics.REGISTRY.get_sample_value("mutt_remediation_state") == Activity.BACKING_OFF
    world.probe.default = Answer(status=404)
    await world.passes(1)
    assert world.sent == [(Reason.SHED, 1)]


async def test_what_the_receiver_does_with_alerts_counts_as_well() -> None:
    world = World()
    world.replays.add(1)
    world.replays.receiver = Posts(failing=3, delivered=0)
    await world.passes(31)
    assert (world.probe.asked, world.sent) == (1, [])


async def test_at_or_above_warn_nothing_is_sent_and_nobody_asked() -> None:
    world = World()
    world.replays.add(20)
    world.backlog.waiting = 1000
    await world.passes(30)
    assert (world.probe.asked, world.sent) == (0, [])
    world.backlog.waiting = 996
    await world.passes(60)
    assert world.sent == [(Reason.SHED, 4)]


async def test_letters_that_no_match_worker_judges_take_up_room() -> None:
    world = World()
    world.config = structs.replace(CONFIG, alerter_queue_warn_threshold=15)
    world.replays.add(50)
    await world.passes(1000)
    assert world.sent == [(Reason.SHED, 10), (Reason.SHED, 5)]


async def test_it_stops_itself_says_so_and_goes_on_when_an_operator_has_acted() -> None:
    world = World()
    world.replays.add(5, Reason.DELIVERY)
    await world.passes(30)
    world.replays.judge(well=2, badly=3)
    said = await world.passes(1)
    assert said == ["remediation stopped itself: more than half of a batch came back"]
    assert world.remediator.stopped == [Reason.DELIVERY]
    assert metrics.REGISTRY.get_sample_value("mutt_remediation_state") == Activity.STOPPED
    world.replays.add(1)
    await world.passes(100)
    assert world.sent == [(Reason.DELIVERY, 5), (Reason.SHED, 1)]

    world.remediator = world.another()
    assert await world.passes(1) == said
    await world.passes(1000)
    assert len(world.sent) == 2

    world.replays.switch()
    await world.passes(1)
    assert world.remediator.stopped == []
    await world.passes(30)
    assert world.sent[2:] == [(Reason.DELIVERY, 3)]


async def test_poison_rests_longer_each_time_and_is_parked_in_the_end() -> None:
    world = World()
    world.replays.add(1, Reason.DELIVERY)
    for rest in (30, 60, 120):
        before = len(world.sent)
        await world.passes(rest - 1)
        assert len(world.sent) == before
        await world.passes(1)
        assert len(world.sent) == before + 1
        world.replays.judge(badly=1)
    await world.passes(180)
    assert (len(world.replays.parked), world.replays.open) == (1, [])


async def test_switched_off_it_sends_nothing_but_parked_letters_still_go_to_their_topic() -> None:
    world = World()
    world.config = DynamicConfig(remediation_enabled=False)
    world.replays.add(1)
    world.parked.waiting = 2
    await world.passes(100)
    assert (world.sent, world.parked.published) == ([], 2)
    assert metrics.REGISTRY.get_sample_value("mutt_remediation_state") == Activity.OFF


async def test_what_a_fault_left_in_hand_is_sent_before_anything_new() -> None:
    world = World()
    world.replays.add(20)
    world.replays.faults = [BrokerUnavailable("away")]
    assert "remediation waits" in await world.passes(30)
    assert not world.replays.done[0].finished
    await world.passes(30)
    assert (len(world.replays.done), world.replays.done[0].finished) == (1, True)


async def test_it_ends_when_another_may_act() -> None:
    world = World()
    leads = iter([True, True, False])

    async def holds() -> bool:
        return next(leads)

    async def sleep(seconds: float) -> None:
        await world.time.advance(seconds)

    await world.remediator.run(holds, sleep)
    assert world.time.seconds == 2.0


class TestFakeLetterReplays(LetterReplaysContract):
    @pytest.fixture
    def letters(self) -> Letters:
        class Fake:
            replays = FakeLetterReplays()

            async def add(
                self, count: int, reason: Reason = Reason.SHED, *, replays: int = 0, cut: bool = False
            ) -> None:
                self.replays.add(count, reason, replays=replays, cut=cut)

            async def judge(self, *, well: int = 0, badly: int = 0) -> None:
                self.replays.judge(well=well, badly=badly)

            async def parked(self) -> int:
                return len(self.replays.parked)

            async def switch(self) -> None:
                self.replays.switch()

            async def take(self, count: int) -> None:
                self.replays.take(count)

        return Fake()


class TestFakeParkedOutbox(ParkedOutboxContract):
    @pytest.fixture
    def parked(self) -> Parked:
        class Fake:
            outbox = FakeParkedOutbox()

            async def park(self, count: int) -> None:
                self.outbox.waiting += count

            async def unpark_and_park(self) -> None:
                self.outbox.waiting = self.outbox.published

        return Fake()


class TestFakeProbe(ReceiverProbeContract):
    @pytest.fixture
    def asked(self) -> Asked:
        class Fake:
            probe = FakeProbe()
            alerts = 0

            def answer(self, answer: Answer) -> None:
                self.probe.default = answer

        return Fake()
