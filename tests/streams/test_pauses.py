"""The consumer's thread is asked for a turn when what is wanted changes, and not with every batch of every lane."""

from __future__ import annotations

import asyncio

from streams.pauses import PartitionId, PauseReason, Pauses

PLACE = ("mutt.ingest.syslog", 3)


class Consumer:
    """Notes what it is asked to pause."""

    def __init__(self) -> None:
        self.asked: list[frozenset[PartitionId]] = []

    async def pause_exactly(self, wanted: frozenset[PartitionId]) -> None:
        self.asked.append(wanted)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_only_a_change_of_what_is_wanted_asks_the_consumer() -> None:
    pauses, consumer = Pauses(), Consumer()
    keeping = asyncio.create_task(pauses.reconcile_forever(consumer))
    await turns()
    begun = len(consumer.asked)
    for _ in range(5):
        pauses.release(PLACE, PauseReason.SINK)  # as a lane does after each batch
        await turns()
    assert len(consumer.asked) == begun
    for _ in range(5):
        pauses.want(PLACE, PauseReason.SINK)
        await turns()
    assert consumer.asked[begun:] == [frozenset({PLACE})]
    pauses.want(PLACE, PauseReason.HALTED)
    pauses.release(PLACE, PauseReason.SINK)
    await turns()
    assert consumer.asked[-1] == frozenset({PLACE})
    pauses.release(PLACE, PauseReason.HALTED)
    await turns()
    assert consumer.asked[-1] == frozenset()
    keeping.cancel()
