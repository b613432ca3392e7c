"""A forwarder killed between post and settlement: the next one delivers under the same id, the books are exact."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

import asyncpg
import pytest

from tests.integration.conftest import System
from tests.integration.forwarding import Receiver, alerts_of, listening, raise_alerts
from tests.integration.pipeline import configure, until

SETTLED, MORE, IN_FLIGHT = 40, 60, 16


@pytest.mark.proves("worker.kill")
async def test_kill_9_between_post_and_settlement_delivers_again_under_the_same_id(system: System) -> None:
    pool = system.database.pool
    await configure(pool, "moog_max_in_flight", str(IN_FLIGHT))
    await configure(pool, "moog_rate_limit", "500")
    async with listening() as receiver:
        first = system.start("forward-1", webhook_url=receiver.url)
        await raise_alerts(system, alerts_of(SETTLED, hosts=20))
        await until(lambda: _delivered(pool, SETTLED), "the first are settled")
        receiver.free.clear()
        await raise_alerts(system, alerts_of(MORE, hosts=20, first=SETTLED))
        await until(lambda: _posts(receiver, SETTLED + IN_FLIGHT), "posts wait for their answer")
        first.process.kill()
        first.process.wait()
        cut = {post.identity: post.sha256 for post in receiver.posts[SETTLED:]}
        assert await _delivered(pool, SETTLED)
        system.start("forward-2", webhook_url=receiver.url)
        receiver.free.set()
        await until(lambda: _delivered(pool, SETTLED + MORE), "the rest is delivered")
        assert await asyncio.to_thread(system.stack.children["forward-2"].stop) == 0
    again = {post.identity: post.sha256 for post in receiver.posts[SETTLED + IN_FLIGHT :]}
    assert {name: again[name] for name in cut} == cut
    seen = Counter(post.identity for post in receiver.posts)
    assert {name for name, count in seen.items() if count == 2} == set(cut)
    assert set(seen.values()) == {1, 2}
    await _assert_books(pool)


async def test_what_a_poll_took_between_two_owners_is_read_again(system: System) -> None:
    """Chaos, seed 2026: 61 alerts were polled after places were set and before records flowed."""
    pool = system.database.pool
    async with listening() as receiver:
        await raise_alerts(system, alerts_of(SETTLED, hosts=20))
        argv = [sys.executable, "-m", "tests.integration.broken_worker", "forward", "poll_once_more"]
        own = {"database_url": system.settings.database_url, "forward_port": 0, "webhook_url": receiver.url}
        first = system.stack.spawn("forward-1", argv, **own)
        await until(lambda: _delivered(pool, SETTLED), "all are delivered")
        assert await asyncio.to_thread(first.stop) == 0
        await raise_alerts(system, alerts_of(MORE, hosts=20, first=SETTLED))
        system.stack.spawn("forward-2", argv, **own)
        await until(lambda: _delivered(pool, SETTLED + MORE), "what came while nobody read is delivered too")
    assert len(receiver.posts) == SETTLED + MORE


async def _assert_books(pool: asyncpg.Pool) -> None:
    """Every alert is delivered once; what the killed worker never wrote down is counted nowhere."""
    rows = await pool.fetch("SELECT state, attempts, last_status, count(*) AS n FROM alerts GROUP BY 1, 2, 3")
    assert [tuple(row) for row in rows] == [("delivered", 1, 200, SETTLED + MORE)]
    sli = await pool.fetch("SELECT sum(good) AS good, sum(total) AS total FROM sli WHERE component = 'forwarder'")
    assert [tuple(row) for row in sli] == [(SETTLED + MORE, SETTLED + MORE)]
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0


async def _delivered(pool: asyncpg.Pool, count: int) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'delivered'") == count)


async def _posts(receiver: Receiver, count: int) -> bool:
    return len(receiver.posts) == count
