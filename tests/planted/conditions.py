"""What a scenario needs of a worker beside its bug: worlds in which both what is right and what is wrong are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from streams import app, driver
from streams.agents.match_lane import MatchLane
from streams.core.batches import PolledBatch
from tests.planted.patches import Patches


def own_group(patches: Patches) -> None:
    """The worker is alone in a consumer group: another one reads the same partitions, and neither is told."""

    class Alone(app.WorkerApp):
        def __init__(self, name: str, **options: Any) -> None:
            super().__init__(f"{name}-alone", **options)

    patches.replace(app, "WorkerApp", Alone)


def large_polls(patches: Patches) -> None:
    """A poll finds every partition, and two batches that nobody takes stop the consumer in the middle of it."""

    class Small(app.WorkerApp):
        def __init__(self, name: str, **options: Any) -> None:
            super().__init__(name, **options | {"stream_buffer_maxsize": 1})

    patches.replace(app, "WorkerApp", Small)
    patches.replace(driver, "REST_S", 1.0)


def defect_once(patches: Patches) -> None:
    """Our own code fails on the first batch that comes to a lane."""
    handle = MatchLane._handle

    async def _handle(self: MatchLane, batches: Sequence[PolledBatch]) -> None:
        MatchLane._handle = handle
        raise RuntimeError("a defect")

    patches.replace(MatchLane, "_handle", _handle)


CONDITIONS: dict[str, Callable[[Patches], None]] = {
    each.__name__: each for each in (own_group, large_polls, defect_once)
}
