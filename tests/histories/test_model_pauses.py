"""Pauses against a simple model: reasons by partition, a consumer that forgets its pauses, and intake's two reasons."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from streams.pauses import PauseReason, Pauses
from tests.fakes_match import FixedClock
from tests.histories.loop import VirtualLoop

PLACES = [("t", number) for number in range(4)]
REASONS = st.sampled_from(list(PauseReason))


class ForgetfulConsumer:
    """Pauses what is assigned, and forgets it at a rebalance, as aiokafka does."""

    def __init__(self) -> None:
        self.assigned: set[tuple[str, int]] = set(PLACES)
        self.paused: set[tuple[str, int]] = set()

    async def pause_exactly(self, wanted: frozenset[tuple[str, int]]) -> None:
        self.paused = set(wanted) & self.assigned


class PausesMachine(RuleBasedStateMachine):
    """The model: a set of (partition, reason)."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.clock = FixedClock()
        self.pauses = Pauses(self.clock)
        self.consumer = ForgetfulConsumer()
        self.model: set[tuple[tuple[str, int], PauseReason]] = set()
        self.task = self.loop.create_task(self.pauses.reconcile_forever(self.consumer))

    def teardown(self) -> None:
        self.task.cancel()
        self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
        self.loop.close()

    @rule(place=st.sampled_from(PLACES), reason=REASONS)
    def want(self, place: tuple[str, int], reason: PauseReason) -> None:
        self.pauses.want(place, reason)
        self.model.add((place, reason))

    @rule(place=st.sampled_from(PLACES), reason=REASONS)
    def release(self, place: tuple[str, int], reason: PauseReason) -> None:
        self.pauses.release(place, reason)
        self.model.discard((place, reason))

    @rule(places=st.sets(st.sampled_from(PLACES)), data=st.data())
    def rebalance(self, places: set[tuple[str, int]], data: Any) -> None:
        """What the roles do: every pause is forgotten, then what holds intake is wanted again."""
        self.consumer.assigned, self.consumer.paused = places, set()
        self.pauses.drop_all()
        self.model.clear()
        for place in sorted(places) if data.draw(st.booleans()) else []:
            self.want(place, PauseReason.OPERATOR)

    @rule()
    def the_consumer_forgets(self) -> None:
        self.consumer.paused = set()
        self._pass(0.2)

    def _pass(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @invariant()
    def the_consumer_agrees_at_once(self) -> None:
        self._pass(0.001)
        wanted = {place for place, _ in self.model}
        assert self.pauses.wanted == wanted
        assert self.consumer.paused == wanted & self.consumer.assigned

    @invariant()
    def every_reason_is_told(self) -> None:
        assert {((pause.topic, pause.partition), pause.reason) for pause in self.pauses.current} == self.model
        for reason in PauseReason:
            assert self.pauses.count(reason) == sum(each is reason for _, each in self.model)


TestPauses = PausesMachine.TestCase
TestPauses.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
