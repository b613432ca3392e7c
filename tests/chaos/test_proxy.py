"""Each fault of the proxy as the two ends of a real connection see it."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import pytest

from tests.chaos.frames import BATCH, COMMIT, PRODUCE, Framer, KafkaFramer, Plain, PostgresFramer
from tests.chaos.late import Keep
from tests.chaos.owners import calls
from tests.chaos.proxy import HOST, Fault, Link, Proxy, Trap

T = TypeVar("T")
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
WITHIN_S = 20.0
START_UP = struct.pack(">ii", 8, 196608)
MOVE = b"P" + struct.pack(">i", 4 + 46) + b"s1\0UPDATE partition_progress SET next_offset\0\0"
MOVED = b"B" + struct.pack(">i", 4 + 54) + b"\0s1\0" + bytes(50)
COMMIT_MESSAGE = b"Q" + struct.pack(">i", 12) + b"COMMIT;\0"
PRODUCE_MESSAGE = struct.pack(">ihhi", 8 + 1000, 0, 7, 1) + b"r" * 1000


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


class Ends:
    """A client and a server that are connected through a link."""

    def __init__(self, link: Link, came: asyncio.Queue[Pair]) -> None:
        self.link = link
        self.came = came
        """Connections that the server has taken and nobody has looked at."""
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.server: Pair

    async def to_server(self, data: bytes) -> bytes:
        """Sends; returns as many bytes as the server gets."""
        self.writer.write(data)
        return await soon(self.server[0].readexactly(len(data)))

    async def to_client(self, data: bytes) -> bytes:
        self.server[1].write(data)
        return await soon(self.reader.readexactly(len(data)))


async def soon(waiting: Awaitable[T]) -> T:
    return await asyncio.wait_for(waiting, WITHIN_S)


@asynccontextmanager
async def client(link: Link) -> AsyncIterator[Pair]:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def connected(proxy: Proxy, framer: type[Framer] = Plain) -> AsyncIterator[Ends]:
    came: asyncio.Queue[Pair] = asyncio.Queue()
    server = await asyncio.start_server(lambda *pair: came.put_nowait(pair), HOST, 0)
    ends = Ends(proxy.link("toy", server.sockets[0].getsockname()[1], framer), came)
    async with client(ends.link) as (ends.reader, ends.writer):
        ends.server = await soon(came.get())
        try:
            yield ends
        finally:
            ends.server[1].transport.abort()
            server.close()


async def reset_seen(reader: asyncio.StreamReader) -> None:
    with pytest.raises(ConnectionResetError):
        await soon(reader.read())


async def test_what_is_sent_arrives_unchanged_both_ways(proxy: Proxy) -> None:
    data = bytes(range(256)) * 2000
    async with connected(proxy) as ends:
        assert await ends.to_server(data) == data
        assert await ends.to_client(data) == data
        assert ends.link.passed == {"up": len(data), "down": len(data)}
        assert (ends.link.connections, ends.link.opened) == (1, 1)


async def test_the_end_of_one_direction_goes_through_alone(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        ends.writer.write_eof()
        assert await soon(ends.server[0].read()) == b""
        assert await ends.to_client(b"answer") == b"answer"


async def test_a_cut_is_a_fin_to_both_sides(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        await ends.to_server(b"through the proxy")
        assert ends.link.cut() == 1
        assert await soon(ends.reader.read()) == b""
        assert await soon(ends.server[0].read()) == b""
        assert ends.link.connections == 0


async def test_a_reset_is_an_rst_to_both_sides(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        await ends.to_server(b"through the proxy")
        assert ends.link.reset() == 1
        await reset_seen(ends.reader)
        await reset_seen(ends.server[0])


async def test_half_close_ends_one_direction_while_the_other_goes_on(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        await ends.to_server(b"through the proxy")
        assert ends.link.half_close("down") == 1
        assert await soon(ends.reader.read()) == b""
        ends.server[1].write(b"nobody hears this")
        assert await ends.to_server(b"still here") == b"still here"
        assert ends.link.cut() == 1


async def test_a_black_hole_holds_everything_until_it_is_healed(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        assert ends.link.suffer(Fault(black_hole=True, direction="up")) == 1
        ends.writer.write(b"lost on the way")
        assert await ends.to_client(b"the other direction is open") == b"the other direction is open"
        assert ends.link.passed["up"] == 0
        ends.link.heal()
        assert await ends.to_server(b"!") == b"l"


async def test_a_delay_makes_what_is_sent_late_and_keeps_its_order(proxy: Proxy) -> None:
    clock = asyncio.get_running_loop().time
    async with connected(proxy) as ends:
        ends.link.suffer(Fault(delay_s=0.3))
        began = clock()
        assert await ends.to_server(b"one") == b"one"
        assert clock() - began >= 0.3
        ends.link.heal()
        assert await ends.to_server(b"two") == b"two"


async def test_a_trickle_lets_so_many_bytes_through_a_second(proxy: Proxy) -> None:
    clock = asyncio.get_running_loop().time
    async with connected(proxy) as ends:
        ends.link.suffer(Fault(rate=1000.0))
        began = clock()
        assert await ends.to_server(b"x" * 400) == b"x" * 400
        assert clock() - began >= 0.3


async def test_a_flip_changes_one_bit_of_one_large_piece(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        ends.link.flip("up")
        assert await ends.to_server(b"small") == b"small"
        got = await ends.to_server(bytes(1000))
        assert sum(byte.bit_count() for byte in got) == 1
        assert ends.link.flips_left == 0
        assert await ends.to_server(bytes(1000)) == bytes(1000)


async def test_down_refuses_and_resets_and_up_listens_again(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        assert ends.link.down() == 1
        await reset_seen(ends.reader)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, ends.link.port)
        ends.link.up()
        async with client(ends.link):
            (await soon(ends.came.get()))[1].transport.abort()


async def test_a_server_that_is_not_there_resets_the_client(proxy: Proxy) -> None:
    async with connected(proxy) as ends:
        ends.link.target = 1
        with pytest.raises(ConnectionResetError):  # while it connects, or at once afterwards
            async with client(ends.link) as (reader, _):
                await soon(reader.read())


@pytest.mark.parametrize(
    ("framer", "moment", "hello", "message"),
    [(PostgresFramer, COMMIT, START_UP, COMMIT_MESSAGE), (KafkaFramer, PRODUCE, b"", PRODUCE_MESSAGE)],
)
@pytest.mark.parametrize("share", [0.0, 0.5])
async def test_a_trap_swallows_the_message_or_half_of_it(
    proxy: Proxy, framer: type[Framer], moment: str, hello: bytes, message: bytes, share: float
) -> None:
    async with connected(proxy, framer) as ends:
        trap = ends.link.set_trap(Trap(moment, forward=share, end="cut"))
        ends.writer.write(hello + message)
        assert await soon(ends.server[0].read()) == (hello + message)[: len(hello) + int(len(message) * share)]
        assert await soon(ends.reader.read()) == b""
        assert trap.sprung.wait(WITHIN_S)


async def test_a_trap_that_forwards_all_takes_the_answer_away(proxy: Proxy) -> None:
    async with connected(proxy, PostgresFramer) as ends:
        trap = ends.link.set_trap(Trap(COMMIT, forward=1.0))
        await ends.to_server(START_UP)
        assert await ends.to_client(b"welcome") == b"welcome"
        assert await ends.to_server(COMMIT_MESSAGE) == COMMIT_MESSAGE
        assert not trap.sprung.is_set()
        ends.server[1].write(b"done")
        await reset_seen(ends.reader)
        assert trap.sprung.wait(WITHIN_S)


async def test_a_trap_springs_once_and_may_flip_a_bit_instead(proxy: Proxy) -> None:
    async with connected(proxy, KafkaFramer) as ends:
        trap = ends.link.set_trap(Trap(PRODUCE, flip=True))
        got = await ends.to_server(PRODUCE_MESSAGE)
        assert sum((a ^ b).bit_count() for a, b in zip(got, PRODUCE_MESSAGE, strict=True)) == 1
        assert trap.sprung.wait(WITHIN_S)
        assert await ends.to_server(PRODUCE_MESSAGE) == PRODUCE_MESSAGE


async def test_a_trap_is_for_whom_it_is_set(proxy: Proxy) -> None:
    async with connected(proxy, KafkaFramer) as ends:
        trap = ends.link.set_trap(Trap(PRODUCE, client=lambda port: not calls(os.getpid(), ends.link.port, port)))
        assert await ends.to_server(PRODUCE_MESSAGE) == PRODUCE_MESSAGE
        assert not trap.sprung.is_set()


async def test_what_is_kept_back_arrives_late_and_its_answer_is_heard(proxy: Proxy) -> None:
    async with connected(proxy, PostgresFramer) as ends:
        keep = Keep(BATCH, partial(calls, os.getpid(), ends.link.port))
        ends.link.keep(keep)
        assert await ends.to_server(START_UP + MOVE) == START_UP + MOVE
        ends.writer.write(MOVED + COMMIT_MESSAGE)
        assert await ends.to_client(b"before") == b"before"
        while not keep.kept:
            await asyncio.sleep(0.01)
        assert keep.kept[0].message == MOVED
        ends.link.let_go(keep)
        assert await soon(ends.server[0].readexactly(len(MOVED + COMMIT_MESSAGE))) == MOVED + COMMIT_MESSAGE
        assert await ends.to_client(b"after") == b"after"
        assert keep.kept[0].answer.endswith(b"after")
        assert await ends.to_server(MOVED) == MOVED
