"""One question for all who ask within some seconds, and for all who wait for it."""

from __future__ import annotations

import asyncio

import pytest

from api.fresh import Fresh


class Asked:
    """Answers with how often it was asked, once it is free."""

    def __init__(self) -> None:
        self.times = 0
        self.now = 0.0
        self.fault: Exception | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.fresh = Fresh(self.ask, holds_s=5.0, clock=lambda: self.now)

    async def ask(self) -> int:
        self.times += 1
        await self.free.wait()
        if self.fault is not None:
            raise self.fault
        return self.times


async def test_an_answer_holds_for_its_time() -> None:
    asked = Asked()
    found = []
    for asked.now in (0.0, 4.9, 5.0, 9.9, 10.0):
        found.append(await asked.fresh.get())
    assert found == [1, 1, 2, 2, 3]


async def test_all_who_wait_share_one_question_and_one_that_goes_leaves_the_others() -> None:
    asked = Asked()
    asked.free.clear()
    waiting = [asyncio.create_task(asked.fresh.get()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    asked.free.set()
    assert await asyncio.gather(*waiting[1:]) == [1] * 4


async def test_failures_are_shared_and_not_kept() -> None:
    asked = Asked()
    asked.fault = ValueError("x")
    failed = await asyncio.gather(asked.fresh.get(), asked.fresh.get(), return_exceptions=True)
    assert [type(one) for one in failed] == [ValueError] * 2
    asked.fault = None
    assert await asked.fresh.get() == 2
    with pytest.raises(ValueError, match="x"):
        raise failed[0]
