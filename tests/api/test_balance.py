"""The check of the books: one at a time, kept for a while, and what is told while it runs or cannot."""

from __future__ import annotations

import asyncio
import datetime as dt

from api.balance import FRESH_S, Balance
from schemas.errors import StoreUnavailable
from streams.adapters.ledger_check import Books

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


async def test_one_check_at_a_time_and_the_last_is_kept() -> None:
    now, begun, may_end = 0.0, 0, asyncio.Event()

    async def check() -> Books:
        nonlocal begun
        begun += 1
        await may_end.wait()
        return Books([], [], [])

    balance = Balance(check, lambda: NOW, clock=lambda: now)
    assert await asyncio.gather(*(balance.last(0.01) for _ in range(5))) == [None] * 5
    may_end.set()
    found = await balance.last(10)
    assert found is not None
    assert (begun, found.at) == (1, NOW)
    assert await balance.last() is found
    now += FRESH_S
    assert await balance.last() is not found
    assert begun == 2


async def test_a_check_that_fails_leaves_the_one_before() -> None:
    now, fault = 0.0, False

    async def check() -> Books:
        if fault:
            raise StoreUnavailable("down")
        return Books([], [], [])

    balance = Balance(check, lambda: NOW, clock=lambda: now)
    found = await balance.last(10)
    now, fault = FRESH_S, True
    assert await balance.last(10) is found
