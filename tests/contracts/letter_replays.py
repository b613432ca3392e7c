"""What every LetterReplays must do; run on the fake and on PostgreSQL with Kafka."""

from __future__ import annotations

from typing import Protocol

from schemas.dead_letters import Reason
from streams.core.ports import LetterReplays
from streams.core.remediation import Batch, Verdict, verdict


class Letters(Protocol):
    """Dead letters that the test puts there, and what workers do with those that were sent."""

    @property
    def replays(self) -> LetterReplays: ...

    async def add(self, count: int, reason: Reason = Reason.SHED, *, replays: int = 0, cut: bool = False) -> None: ...

    async def judge(self, *, well: int = 0, badly: int = 0) -> None:
        """So many letters that were sent are judged; badly means that they leave another, open letter."""

    async def parked(self) -> int: ...

    async def switch(self) -> None:
        """An operator switches remediation off and on."""

    async def take(self, count: int) -> None:
        """Another instance takes so many letters, and dies before it sends them."""


class LetterReplaysContract:
    """Subclass with a fixture `letters`."""

    async def test_nothing_is_there_to_be_sent_or_judged(self, letters: Letters) -> None:
        assert not await letters.replays.has_work(Reason.SHED)
        assert await letters.replays.last_batches() == {}
        assert await letters.replays.go_on() == 0

    async def test_at_most_so_many_are_sent_and_followed_until_they_are_settled(self, letters: Letters) -> None:
        await letters.add(5)
        assert await letters.replays.has_work(Reason.SHED)
        assert not await letters.replays.has_work(Reason.DELIVERY)
        assert await letters.replays.replay(Reason.SHED, 3) == 3
        assert (counts(await last(letters)), await letters.replays.unjudged()) == ((3, 0, 3), 3)
        await letters.judge(well=1, badly=1)
        assert (counts(await last(letters)), await letters.replays.unjudged()) == ((3, 1, 1), 1)
        await letters.judge(well=1)
        assert counts(await last(letters)) == (3, 1, 0)
        assert await letters.replays.replay(Reason.SHED, 99) == 3  # two, and the one that came back
        assert counts(await last(letters)) == (3, 0, 3)

    async def test_letters_sent_too_often_are_parked_and_are_no_batch(self, letters: Letters) -> None:
        await letters.add(2, replays=3)
        assert await letters.replays.has_work(Reason.SHED)
        assert await letters.replays.replay(Reason.SHED, 10) == 0
        assert await letters.parked() == 2
        assert not await letters.replays.has_work(Reason.SHED)
        assert await letters.replays.last_batches() == {}

    async def test_letters_that_cannot_be_sent_are_no_work(self, letters: Letters) -> None:
        await letters.add(2, cut=True)
        assert not await letters.replays.has_work(Reason.SHED)

    async def test_what_came_back_before_an_operator_acted_is_excused(self, letters: Letters) -> None:
        await letters.add(3)
        await letters.replays.replay(Reason.SHED, 3)
        await letters.judge(badly=3)
        assert verdict(await last(letters)) is Verdict.STOPPED
        await letters.switch()
        assert (await last(letters)).excused
        await letters.replays.replay(Reason.SHED, 3)
        assert not (await last(letters)).excused

    async def test_what_another_left_in_hand_is_sent_once_more(self, letters: Letters) -> None:
        await letters.add(4)
        await letters.take(3)
        assert await letters.replays.last_batches() == {}
        assert await letters.replays.go_on() == 3
        assert counts(await last(letters)) == (3, 0, 3)
        assert await letters.replays.go_on() == 0


async def last(letters: Letters, reason: Reason = Reason.SHED) -> Batch:
    return (await letters.replays.last_batches())[reason]


def counts(batch: Batch) -> tuple[int, int, int]:
    return batch.taken, batch.came_back, batch.waiting
