"""One connection through the proxy: a pump each way, and what a link tells it to do to what passes."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tests.chaos.frames import Framer, Piece, Plain
from tests.chaos.late import Keep, Kept

HOST = "127.0.0.1"
CHUNK = 64 * 1024
TICK_S = 0.05
"""How often a trickle lets something through."""
UP, DOWN = "up", "down"
_LINGER_0 = struct.pack("ii", 1, 0)
_QUEUED = 64
"""Pieces of one direction that may wait for their delay."""

Direction = Literal["up", "down"]
End = Literal["cut", "reset"]
_Queue = asyncio.Queue[tuple[float, Piece] | None]
"""When a piece came, and the piece; None at the end of the stream."""


@dataclass
class Trap:
    """Once, at the next moment of this name (COMMIT, PRODUCE): this share of the message goes on, then the end.

    0.0 swallows it, 0.5 sends half of it; with 1.0 the server has it all and answers, and the client is cut off before
    the answer comes. `flip` sends it on with one bit changed in its middle instead, and cuts nothing.
    """

    moment: str
    forward: float = 0.0
    end: End = "reset"
    flip: bool = False
    client: Callable[[int], bool] = lambda _: True
    """Who may fall into it, by the port that it calls from; asked on the proxy's thread."""
    sprung: threading.Event = field(default_factory=threading.Event)
    """Set when it has happened."""


class Way(Protocol):
    """What a connection asks its link, on the proxy's thread."""

    target: int
    passed: dict[str, int]

    def framer(self) -> Framer: ...

    async def passable(self, direction: str) -> None: ...

    def delay_s(self, direction: str) -> float: ...

    def rate(self, direction: str) -> float | None: ...

    def trap_at(self, moment: str | None, port: int) -> Trap | None: ...

    def keep_at(self, moment: str | None, port: int) -> Keep | None: ...

    def flipped(self, data: bytes, direction: str) -> bytes: ...


def bit_flipped(data: bytes) -> bytes:
    """With one bit of its middle changed."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


class Connection:
    """A client's connection and ours to the server, with a pump each way."""

    def __init__(self, link: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._link = link
        self._reader = reader
        self._writers = {DOWN: writer}
        self._port: int = writer.get_extra_info("peername")[1]
        self._sprung: Trap | None = None
        """A trap that ends the connection when the server answers."""
        self._kept: Kept | None = None
        """What came late, and whose answer is listened to."""
        self._silent: set[str] = set()
        """Directions in which no more is sent."""
        self._ended = False
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            try:
                await self._link.passable(UP)
                far_reader, self._writers[UP] = await asyncio.open_connection(HOST, self._link.target)
                async with asyncio.TaskGroup() as pumps:
                    for direction, reader in ((UP, self._reader), (DOWN, far_reader)):
                        queue: _Queue = asyncio.Queue(maxsize=_QUEUED)
                        pumps.create_task(self._read_all(direction, reader, queue))
                        pumps.create_task(self._send_all(direction, queue))
                self.end("cut")
            except* OSError:
                self.end("reset")
            finally:
                closing = [writer.wait_closed() for writer in self._writers.values()]
                await asyncio.gather(*closing, return_exceptions=True)

    def end(self, end: End) -> None:
        """Both sides get a FIN or an RST."""
        for writer in self._writers.values():
            if end == "reset":
                linger = writer.get_extra_info("socket")
                with suppress(OSError):
                    linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
                writer.transport.abort()
            else:
                writer.close()
        if not self._ended and asyncio.current_task() is not self.task:
            self.task.cancel()
        self._ended = True

    def half_close(self, direction: str) -> None:
        writer = self._writers.get(direction)
        if writer is not None and not writer.is_closing():
            self._silent.add(direction)
            writer.write_eof()

    async def _read_all(self, direction: str, reader: asyncio.StreamReader, queue: _Queue) -> None:
        """Reads on while what came before is still delayed, up to a bound."""
        framer = self._link.framer() if direction == UP else Plain()
        clock = asyncio.get_running_loop().time
        while data := await reader.read(CHUNK):
            for piece in framer.feed(data):
                await queue.put((clock(), piece))
        await queue.put(None)

    async def _send_all(self, direction: str, queue: _Queue) -> None:
        clock = asyncio.get_running_loop().time
        while (queued := await queue.get()) is not None:
            came, piece = queued
            while (late := self._link.delay_s(direction) - (clock() - came)) > 0:
                await asyncio.sleep(min(late, TICK_S))
            await self._link.passable(direction)
            if direction == DOWN and self._sprung is not None:
                return self._spring(self._sprung)
            if direction == DOWN and self._kept is not None:
                self._kept.answer += piece.data
            await self._keep_back(piece)
            trap = self._link.trap_at(piece.moment, self._port)
            if trap is None:
                await self._send(direction, self._link.flipped(piece.data, direction))
            else:
                await self._fall_into(trap, direction, piece.data)
        self.half_close(direction)
        return None

    async def _keep_back(self, piece: Piece) -> None:
        keep = self._link.keep_at(piece.moment, self._port)
        if keep is not None:
            self._kept = Kept(piece.data)
            keep.kept.append(self._kept)
            await keep.let_go.wait()

    async def _fall_into(self, trap: Trap, direction: str, message: bytes) -> None:
        if trap.flip:
            await self._send(direction, bit_flipped(message))
            trap.sprung.set()
            return
        await self._send(direction, message[: int(len(message) * trap.forward)])
        if trap.forward < 1.0:
            self._spring(trap)
        else:
            self._sprung = trap

    def _spring(self, trap: Trap) -> None:
        self.end(trap.end)
        trap.sprung.set()

    async def _send(self, direction: str, data: bytes) -> None:
        writer = self._writers[direction]
        while data and direction not in self._silent:
            rate = self._link.rate(direction)
            part = data if rate is None else data[: max(1, int(rate * TICK_S))]
            self._link.passed[direction] += len(part)
            writer.write(part)
            await writer.drain()
            data = data[len(part) :]
            if rate is not None:
                await asyncio.sleep(len(part) / rate)
