"""What arrives on a socket: requests that are none, that never end, that come a byte at a time."""

from __future__ import annotations

import asyncio
import re
import resource
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import uvicorn

from api.protocol import Protocol
from api.routes import MOST_BODY
from api.server import listen, served
from tests.api.toys import TOYS, Toys
from tests.api.window import window_of

HOST = b"Host: localhost\r\n"
POST = b"POST " + TOYS.encode() + b" HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
GET = b"GET " + TOYS.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n"
TOY = b'{"name":"car"}'


class Impatient(Protocol):
    head_s = 0.5
    rest_s = 0.5


@asynccontextmanager
async def serving(protocol: type[Protocol] = Protocol) -> AsyncIterator[int]:
    """The port of an API of toys."""
    config = served(window_of([Toys()]).app)  # type: ignore[arg-type]
    config.load()
    config.http_protocol_class = protocol
    server = uvicorn.Server(config)
    listening = listen("127.0.0.1", 0)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listening.close()


async def exchange(port: int, *parts: bytes) -> bytes:
    """What comes back until the server closes, each part sent once the one before is through."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


UNREADABLE = [
    b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",  # A10: no Host
    b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    b"GET / HTTP/1.1\nHost: localhost\n\n",
    b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b" X: folded\r\nno colon\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    POST + b"Content-Length: -1\r\n\r\n",
    POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET " + TOYS.encode() + b" HTTP/1.0\r\n\r\n",  # A10: no Host in a version that needs none
]


async def test_A1_A10_what_is_no_request_is_400_and_closes() -> None:
    async with serving() as port:
        for garbage in UNREADABLE:
            answer = await exchange(port, garbage)
            assert status(answer) == 400, garbage
            head = answer.lower().partition(b"\r\n\r\n")[0]
            assert all(name in head for name in (b"x-api-version: 2.0", b"x-request-id: ", b"problem+json"))


async def test_A13_line_feeds_are_looked_at_across_pieces() -> None:
    body = b'{"name":\n\n"car"}'
    good = POST + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    async with serving() as port:
        for cut in range(len(good) - len(body) - 6, len(good)):
            first, second = good[:cut], good[cut:]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(second)
            assert status(await reader.read()) in (201, 409)
            writer.close()


async def test_A2_a_large_body_is_413_and_reading_stops() -> None:
    async with serving(Impatient) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"Content-Length: 10485760\r\n\r\n" + b" " * 100_000)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert status(head) == 413
        writer.close()


@pytest.mark.parametrize("head", [POST, POST.replace(b"json", b"text")])
async def test_A2_endless_chunks_are_answered_and_cut(head: bytes) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    async with serving(Impatient) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)

        sending = asyncio.create_task(send())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert status(answer) == (413 if b"json" in head else 415)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(sending, 20)
        assert sent < 16 * MOST_BODY
        writer.close()


@pytest.mark.checks("SURFACE_4")
@pytest.mark.parametrize("sent", [GET, GET.replace(b"GET", b"\x16"), GET.replace(TOYS.encode(), b"/nothing")])
async def test_no_answer_says_what_serves_it(sent: bytes) -> None:
    async with serving() as port:
        answer = (await exchange(port, sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))).lower()
        assert answer.startswith(b"http/1.1 ")
        assert [name for name in (b"uvicorn", b"starlette", b"h11", b"python", b"\nserver:") if name in answer] == []


async def test_an_unwanted_body_does_not_end_the_connection() -> None:
    """A refusal before the body is through leaves it usable: the body comes, is dropped, and the next one counts."""
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST.replace(b"json", b"text") + b"Content-Length: 300000\r\n\r\n")
        assert status(await reader.readuntil(b"}")) == 415
        writer.write(b" " * 300_000 + GET)
        assert status(await asyncio.wait_for(reader.readuntil(b"}"), 20)) == 200
        writer.close()


async def test_A13_after_an_unwanted_body_the_next_head_must_come_too() -> None:
    async with serving(Impatient) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST.replace(b"json", b"text") + b"Content-Length: 10\r\n\r\n")
        assert status(await reader.readuntil(b"}")) == 415
        writer.write(b" " * 10)
        assert status(await asyncio.wait_for(reader.read(), 20)) == 408
        writer.close()


async def test_A13_requests_in_a_row_are_answered_in_a_row() -> None:
    async with serving() as port:
        post = POST + b"Content-Length: %d\r\n\r\n" % len(TOY) + TOY
        answer = await exchange(port, post + GET + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"201", b"200", b"200"]


async def test_A13_heads_that_do_not_come_are_408() -> None:
    async with serving(Impatient) as port:
        for begun in (b"", b"G", GET[:-1]):
            answer = await exchange(port, begun)
            last = answer[answer.rindex(b"HTTP/1.1") :]
            assert status(last) == 408
            assert b"/problems/late" in last


async def test_A13_a_thousand_who_wait_do_not_slow_the_others() -> None:
    """Medians, for both figures are of one busy machine, where one in a hundred waits for the processor."""
    many = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    async with serving() as port, AsyncExitStack() as stack:
        alone = await times(port)
        for _ in range(many):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(GET[:20])
        beside = await times(port)
    assert alone[50] < 0.03, "small answers wait for an ACK"
    assert beside[50] < max(4 * alone[50], 0.1)


async def times(port: int) -> list[float]:
    """Seconds that each of a hundred requests took, in order of their length."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for _ in range(100):
        started = time.perf_counter()
        writer.write(GET)
        assert status(await reader.readuntil(b"}")) == 200
        took.append(time.perf_counter() - started)
    writer.close()
    return sorted(took)
