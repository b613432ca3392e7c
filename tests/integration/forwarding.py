"""What tests of the forwarder need: committed alerts on mutt.alerts, and a receiver inside the test."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from schemas.alerts import Alert
from schemas.rows import ALERTS
from streams.core.alerting import alert_row
from tests.builders import alert
from tests.contracts.deliveries import NOW
from tests.integration.conftest import System
from tests.integration.topics import produce_partitions

PARTITIONS = 8


def alerts_of(count: int, hosts: int, *, first: int = 0, **fields: object) -> list[Alert]:
    """Alerts of hosts h0, h1, … in turn, their offsets from `first` on."""
    return [alert(hostname=f"h{number % hosts}", offset=number, **fields) for number in range(first, first + count)]


async def raise_alerts(system: System, alerts: Sequence[Alert]) -> None:
    """What a match worker does: commits the rows, then publishes. A host's number is its partition, modulo eight.

    They are marked as published before they are: one statement over all of them, while forwarders settle some, would
    now and then be a deadlock (40P01).
    """
    rows = [alert_row(one, NOW) for one in alerts]
    await system.database.pool.copy_records_to_table("alerts", records=rows, columns=ALERTS)
    await system.database.pool.execute("UPDATE alerts SET published_at = now() WHERE published_at IS NULL")
    records = [
        (int(one.hostname[1:]) % PARTITIONS, one.hostname.encode(), row[-1].encode())
        for one, row in zip(alerts, rows, strict=True)
    ]
    await asyncio.to_thread(produce_partitions, system.stack.kafka.bootstrap, "mutt.alerts", records)


@dataclass(frozen=True)
class Post:
    """One post as it came in."""

    at: float
    """Monotonic seconds."""
    identity: str
    sha256: str
    status: int


@dataclass
class Receiver:
    """Answers every post with `status` of its number (from 1); while `held`, answers wait."""

    status: Callable[[int], int] = lambda _: 200
    headers: dict[str, str] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    free: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        status = self.status(len(self.posts) + 1)
        identity = request.headers["webhook-id"]
        self.posts.append(Post(time.monotonic(), identity, hashlib.sha256(body).hexdigest(), status))
        await self.free.wait()
        return web.Response(status=status, headers=self.headers)

    def between(self, start: float, end: float) -> int:
        """Posts that came in within the span."""
        return sum(start <= post.at < end for post in self.posts)


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver on the loopback, on a free port unless one is given."""
    receiver = Receiver()
    receiver.free.set()
    app = web.Application()
    app.router.add_post("/alerts", receiver.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/alerts"
    try:
        yield receiver
    finally:
        receiver.free.set()
        await runner.cleanup()
