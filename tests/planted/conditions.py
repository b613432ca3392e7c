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


def paused_in_a_poll(patches: Patches) -> None:
    """The first poll that finds a hundred records is handed on once the partitions are paused."""
    wait = BatchConsumer._wait_next_records
    waited = False

    async def _wait_next_records(self: BatchConsumer, seconds: float) -> Any:
        nonlocal waited
        found, active = await wait(self, seconds)
        if not waited and sum(map(len, (found or {}).values())) >= 100:
            waited = True
            while len(self.app.role.paused) < len(self.assignment()):
                await asyncio.sleep(0.05)
            await asyncio.sleep(2 * RECONCILE_SECONDS)
        return found, active

    patches.replace(BatchConsumer, "_wait_next_records", _wait_next_records)


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
