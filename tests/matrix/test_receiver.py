"""The receiver dies, is silent, or breaks off: alerts wait and go out again under the same id, and none dies."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

import pytest

from tests.integration.conftest import System
from tests.integration.forwarding import alerts_of, listening, raise_alerts
from tests.integration.pipeline import configure, until

FIRST, MORE, HOSTS = 20, 40, 10
KEYS = {
    "circuit_breaker_threshold": 30, "circuit_breaker_timeout": 1, "moog_retry_base_delay": 0.1,
    "moog_retry_max_delay": 1, "moog_rate_limit": 500,
}  # fmt: skip
BREAKS = 15
"""Answers that break off before the receiver is well again."""
PATIENT = {"webhook_timeout": 60.0}
"""Where posts are counted: on a machine that stands still for a while none is given up."""

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
async def quick(system: System) -> None:
    for key, value in KEYS.items():
        await configure(system.database.pool, key, str(value))


@pytest.mark.proves("receiver.kill")
async def test_while_nobody_listens_alerts_wait_and_each_is_delivered_once(system: System) -> None:
    async with listening() as first:
        system.start("forward-1", webhook_url=first.url, **PATIENT)
        await raise_alerts(system, alerts_of(FIRST, HOSTS))
        await until(lambda: _delivered(system, FIRST), "the first are delivered")
    await raise_alerts(system, alerts_of(MORE, HOSTS, first=FIRST))
    await until(lambda: _tried(system), "they are tried in vain")
    async with listening(int(first.url.rpartition(":")[2].partition("/")[0])) as second:
        await until(lambda: _delivered(system, FIRST + MORE), "all are delivered")
        assert Counter(post.identity for post in first.posts + second.posts).most_common(1)[0][1] == 1
    await _nothing_died(system)


async def _tried(system: System) -> bool:
    return bool(await system.database.pool.fetchval("SELECT count(*) FROM alerts WHERE attempts > 1") > 0)


@pytest.mark.proves("receiver.freeze")
async def test_what_is_not_answered_in_time_goes_out_again_under_its_id(system: System) -> None:
    async with listening() as receiver:
        system.start("forward-1", webhook_url=receiver.url, webhook_timeout=1.0)
        receiver.free.clear()
        await raise_alerts(system, alerts_of(MORE, HOSTS))
        await until(lambda: _repeated(Counter(post.identity for post in receiver.posts)), "some go out again")
        receiver.free.set()
        await until(lambda: _delivered(system, MORE), "all are delivered")
        assert len({(post.identity, post.sha256) for post in receiver.posts}) == MORE
    await _nothing_died(system)


async def _repeated(posts: Counter[str]) -> bool:
    return max(posts.values(), default=0) > 1


@pytest.mark.proves("receiver.reset", "receiver.cut")
async def test_answers_that_break_off_are_unknown_and_the_same_id_goes_out_again(system: System) -> None:
    async with breaking() as receiver:
        system.start("forward-1", webhook_url=receiver.url, **PATIENT)
        await raise_alerts(system, alerts_of(MORE, HOSTS))
        await until(lambda: _delivered(system, MORE), "all are delivered")
        assert not receiver.breaks
        assert len(receiver.bodies) == MORE
        assert {len(bodies) for bodies in receiver.bodies.values()} == {1}
        assert receiver.posts == MORE + BREAKS
    await _nothing_died(system)
    assert await system.database.pool.fetchval("SELECT sum(attempts)::int FROM alerts") == MORE + BREAKS


@dataclass
class Breaking:
    """Reads each post whole; breaks off as long as there are breaks left, then says 200."""

    url: str = ""
    posts: int = 0
    breaks: list[Reply] = field(default_factory=list)
    bodies: dict[str, set[str]] = field(default_factory=dict)
    """Digests of what came under each id."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        self.posts += 1
        self.bodies.setdefault(headers["webhook-id"], set()).add(sha256(body).hexdigest())
        await (self.breaks.pop() if self.breaks else _well)(writer)
        writer.close()


async def _well(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()


async def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of an answer."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _cut(writer: asyncio.StreamWriter) -> None:
    """The end within the status line."""
    writer.write(b"HTTP/1.1 20")
    await writer.drain()


async def _silent(writer: asyncio.StreamWriter) -> None:
    """The end and no answer."""


@asynccontextmanager
async def breaking() -> AsyncIterator[Breaking]:
    receiver = Breaking(breaks=[_reset, _cut, _silent] * (BREAKS // 3))
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/alerts"
    try:
        yield receiver
    finally:
        server.close()


async def _delivered(system: System, count: int) -> bool:
    return bool(await system.database.pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'delivered'") == count)


async def _nothing_died(system: System) -> None:
    assert await asyncio.to_thread(system.stack.children["forward-1"].stop) == 0
    assert await system.database.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
