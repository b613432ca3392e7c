"""What a run knows of its workers."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from ops.devstack.layout import free_port
from tests.chaos.world import World

HEALTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


async def test_seed_202_a_worker_has_begun_when_it_answers_and_not_before() -> None:
    """The last step killed a worker; the one that came after it was told to end before it could hear a signal."""
    world = World(*cast(Any, (None, None, None)))
    world.ports = {"match-1": free_port(), "match-2": free_port()}
    server = await asyncio.start_server(_healthy, "127.0.0.1", world.ports["match-1"])
    async with server:
        assert await world.begun("match-1")
        assert not await world.begun("match-2")
        assert not await world.begun("match-1", "match-2")


async def _healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEALTH)
    await writer.drain()
    writer.close()
