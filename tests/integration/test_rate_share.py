"""The fleet's rate limit: workers share it by their partitions, through rebalances and live changes."""

from __future__ import annotations

import asyncio
import time

import pytest

from ops.devstack.layout import free_port
from tests.integration.conftest import System
from tests.integration.forwarding import PARTITIONS, Receiver, alerts_of, listening, raise_alerts
from tests.integration.pipeline import configure, gauge, until

LIMIT = 100
PER_WORKER = 3 / PARTITIONS
"""The largest share of three workers."""
LATE_S = 0.15
"""So late a busy machine may let the receiver note a post; what came meanwhile is then noted with it."""
WORKERS = ("forward-1", "forward-2", "forward-3")


class Fleet:
    def __init__(self, system: System, receiver: Receiver) -> None:
        self.system, self.receiver = system, receiver
        self.ports = {name: free_port() for name in WORKERS}

    def start(self) -> None:
        for name, port in self.ports.items():
            self.system.start(name, forward_port=port, webhook_url=self.receiver.url)

    async def stop(self, name: str) -> None:
        del self.ports[name]
        assert await asyncio.to_thread(self.system.stack.children[name].stop) == 0

    async def shared(self) -> None:
        """Waits until everybody has partitions, and all of them have an owner."""

        async def done() -> bool:
            shares = [
                await asyncio.to_thread(gauge, port, "mutt_moog_rate_share_ratio") for port in self.ports.values()
            ]
            return all(shares) and sum(shares) == pytest.approx(1.0)

        await until(done, "the workers share the rate", within=25)

    async def posting(self) -> None:
        """Waits until every worker posts again: after a rebalance each reads its partitions first."""
        begun = len(self.receiver.posts)
        await until(lambda: _more(self.receiver, begun + LIMIT // 2), "posts come in", within=20)

    async def pass_time(self, seconds: float) -> tuple[float, float]:
        """Lets posts come in for so long; the span."""
        start = time.monotonic()
        await asyncio.sleep(seconds)
        return start, time.monotonic()

    def said(self) -> str:
        """The logs of the workers that run."""
        return "\n".join(self.system.stack.children[name].tail() for name in self.ports)

    def used(self, span: tuple[float, float], limit: float) -> float:
        """Part of the limit that was used in the span."""
        return self.receiver.between(*span) / (limit * (span[1] - span[0]))

    def most(self, seconds: float) -> int:
        """Posts of the busiest window of this length."""
        times = [post.at for post in self.receiver.posts]
        return max(self.receiver.between(start, start + seconds) for start in times)


@pytest.mark.timeout(90)
async def test_three_workers_share_one_limit(system: System) -> None:
    await configure(system.database.pool, "moog_rate_limit", str(LIMIT))
    async with listening() as receiver:
        fleet = Fleet(system, receiver)
        fleet.start()
        await fleet.shared()
        await raise_alerts(system, alerts_of(8000, hosts=160))  # nobody runs out, however long it takes
        await fleet.posting()
        three = await fleet.pass_time(5)
        assert fleet.used(three, LIMIT) >= 0.9, fleet.said()
        await fleet.stop(WORKERS[0])
        await fleet.shared()
        await fleet.posting()
        two = await fleet.pass_time(3)
        assert fleet.used(two, LIMIT) >= 0.9, fleet.said()
        for seconds in (0.25, 1.0, 3.0):
            assert fleet.most(seconds) <= LIMIT * (seconds + LATE_S) + LIMIT * PER_WORKER
        await _slower(fleet)
    assert len({post.identity for post in receiver.posts}) == len(receiver.posts)


async def _slower(fleet: Fleet) -> None:
    """A changed limit and period are in force within a second or so, for every worker."""
    await configure(fleet.system.database.pool, "moog_rate_limit", str(LIMIT // 2))
    await configure(fleet.system.database.pool, "moog_rate_period", "2")
    await fleet.pass_time(1.5)
    slow = await fleet.pass_time(4)
    assert 0.9 <= fleet.used(slow, LIMIT / 4) <= 1.1, fleet.said()


async def _more(receiver: Receiver, posts: int) -> bool:
    return len(receiver.posts) >= posts
