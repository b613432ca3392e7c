"""What a scenario needs of a worker beside its bug: worlds in which both what is right and what is wrong are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from streams import app
from streams.agents.match_lane import MatchLane
from streams.core.batches import PolledBatch
from streams.driver import BatchConsumer
from streams.pauses import RECONCILE_SECONDS
from tests.planted.patches import Patches


def own_group(patches: Patches) -> None:
    """The worker is alone in a consumer group: another one reads the same partitions, and neither is told."""

    class Alone(app.WorkerApp):
        def __init__(self, name: str, **options: Any) -> None:
            super().__init__(f"{name}-alone", **options)

    patches.replace(app, "WorkerApp", Alone)


MANY = 20
"""Records of a poll that is held back; the scenario publishes fewer first, and many more then."""


def paused_in_a_poll(patches: Patches) -> None:
    """The first poll that finds many records is handed on once the partitions are paused."""
    wait, pause = BatchConsumer._wait_next_records, BatchConsumer.pause_exactly
    over = False

    async def _wait_next_records(self: BatchConsumer, seconds: float) -> Any:
        nonlocal over
        found, active = await wait(self, seconds)
        if not over and sum(map(len, (found or {}).values())) >= MANY:
            while len(self.app.role.paused) < len(self.assignment()):
                await asyncio.sleep(0.05)
            over = True
            await asyncio.sleep(2 * RECONCILE_SECONDS)
        return found, active

    async def pause_exactly(self: BatchConsumer, wanted: frozenset[tuple[str, int]]) -> None:
        """A pause that comes before such a poll is not waited for a second time."""
        nonlocal over
        await pause(self, wanted)
        over = over or bool(self.app.role._intake._held)

    patches.replace(BatchConsumer, "_wait_next_records", _wait_next_records)
    patches.replace(BatchConsumer, "pause_exactly", pause_exactly)


def defect_once(patches: Patches) -> None:
    """Our own code fails on the first batch that comes to a lane."""
    handle = MatchLane._handle

    async def _handle(self: MatchLane, batches: Sequence[PolledBatch]) -> None:
        MatchLane._handle = handle
        raise RuntimeError("a defect")

    patches.replace(MatchLane, "_handle", _handle)


CONDITIONS: dict[str, Callable[[Patches], None]] = {
    each.__name__: each for each in (own_group, paused_in_a_poll, defect_once)
}
