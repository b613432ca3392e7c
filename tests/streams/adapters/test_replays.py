"""A replay ends when it is cancelled, also where a client that it waits for swallows the cancel."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from typing import Any

import pytest

from streams.adapters.letter_filters import START, Place
from streams.adapters.replay_claims import Claim, Replay
from streams.adapters.replays import Pace, Replayer
from streams.core.replay import LetterFilter, ReplayPolicy

REPLAY = Replay(uuid.uuid4(), "ann", None, LetterFilter(), dt.datetime(2026, 3, 1, tzinfo=dt.UTC))


class DeafReplays:
    """Stands for claims through a client whose wait ends just when it is cancelled. Its letters never end."""

    def __init__(self) -> None:
        self.claims = 0

    async def claim(self, _: Replay, __: ReplayPolicy, ___: Place | None, ____: int) -> Claim:
        self.claims += 1
        assert self.claims < 3, "the cancel was not heard"
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return Claim(after=START)
        raise AssertionError("not cancelled")

    async def mark_sent(self, *_: Any) -> None:
        """Nothing was sent."""


async def test_a_swallowed_cancel_is_heard_before_the_next_claim() -> None:
    replays: Any = DeafReplays()
    replayer = Replayer(replays, producer=None, pace=Pace())  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await replayer.run(REPLAY, ReplayPolicy(), lambda _: None)
    assert replays.claims == 1
