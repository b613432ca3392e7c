"""match_events: hands every polled batch to the lane of its partition."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from streams import crash
from streams.core.batches import PolledBatch
from streams.lanes import Lanes


async def match_events(stream: Any, lanes: Lanes, polled: Callable[[Any], PolledBatch]) -> None:
    """The agent: hands every polled batch to its lane; waits only at the cap on what the lanes hold."""
    events: AsyncIterator[Any] = stream.noack().events()
    async for event in events:
        batch = polled(event)
        crash.here("polled")
        await lanes.put(batch)
