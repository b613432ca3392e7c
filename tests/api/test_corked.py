"""What is written in one turn of the loop leaves together, in order, and before the connection is closed."""

from __future__ import annotations

import asyncio

from api.corked import MOST_HELD, CorkedTransport


class Wire(asyncio.Transport):
    """Remembers what it was told to do."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append(b"(closed)")

    def is_closing(self) -> bool:
        return b"(closed)" in self.done


async def test_one_turn_is_one_write() -> None:
    wire = Wire()
    corked = CorkedTransport(wire)
    for part in (b"head", b"", b"body"):
        corked.write(part)
    assert wire.done == []
    await asyncio.sleep(0)
    corked.write(b"next")
    await asyncio.sleep(0)
    assert wire.done == [b"headbody", b"next"]


async def test_nothing_is_lost_by_closing() -> None:
    wire = Wire()
    corked = CorkedTransport(wire)
    corked.write(b"last")
    corked.close()
    await asyncio.sleep(0)
    assert wire.done == [b"last", b"(closed)"]
    assert corked.is_closing()


async def test_little_is_held_back() -> None:
    wire = Wire()
    corked = CorkedTransport(wire)
    corked.write(b"a")
    corked.write(b"b" * MOST_HELD)
    assert wire.done == [b"a" + b"b" * MOST_HELD]
    await asyncio.sleep(0)
    assert len(wire.done) == 1
