"""What a scenario needs of a worker beside its bug: worlds in which both what is right and what is wrong are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from streams import app, match_role
from streams.adapters import database
from streams.agents.match_lane import Matching, MatchLane
from streams.core.batches import PolledBatch
from streams.driver import BatchConsumer
from tests.planted.patches import Patches


def own_group(patches: Patches) -> None:
    """The worker is alone in a consumer group: another one reads the same partitions, and neither is told."""

    class Alone(app.WorkerApp):
        def __init__(self, name: str, **options: Any) -> None:
            super().__init__(f"{name}-alone", **options)

    patches.replace(app, "WorkerApp", Alone)


def large_polls(patches: Patches) -> None:
    """A poll finds all there is of every partition, and two batches that nobody takes stop the consumer in the middle of it."""
    wait = BatchConsumer._wait_next_records

    class Small(app.WorkerApp):
        def __init__(self, name: str, **options: Any) -> None:
            super().__init__(name, **options | {"stream_buffer_maxsize": 1})

    async def _wait_next_records(self: BatchConsumer, seconds: float) -> Any:
        found, active = await wait(self, seconds)
        if found:
            await asyncio.sleep(1.0)
            while more := (await wait(self, seconds))[0]:
                found |= {partition: [*found.get(partition, ()), *records] for partition, records in more.items()}
        return found, active

    patches.replace(app, "WorkerApp", Small)
    patches.replace(BatchConsumer, "_wait_next_records", _wait_next_records)


def patient(patches: Patches) -> None:
    """A commit may take a minute before it is given up, or pauses its partition."""
    patches.replace(match_role, "Matching", partial(Matching, slow_commit_s=60.0))
    patches.replace(database, "STATEMENT_TIMEOUT_S", 60.0)


def defect_once(patches: Patches) -> None:
    """Our own code fails on the first batch that comes to a lane."""
    handle = MatchLane._handle

    async def _handle(self: MatchLane, batches: Sequence[PolledBatch]) -> None:
        MatchLane._handle = handle
        raise RuntimeError("a defect")

    patches.replace(MatchLane, "_handle", _handle)


CONDITIONS: dict[str, Callable[[Patches], None]] = {
    each.__name__: each for each in (own_group, large_polls, patient, defect_once)
}
