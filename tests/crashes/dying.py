"""Replaces the seam in this process, so that it dies by SIGKILL at a crash point, and says before that where."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer

from streams import crash
from streams.adapters import batches
from tests.crashes.points import IN_PARTS, Point, When

LAST_WORDS = "dies at the crash point {name}"


def arm(point: Point, nth: int) -> None:
    """From now on the process dies when it comes to the point for the nth time, counted from 1."""
    left, due = nth, not point.after

    def here(name: str) -> None:
        nonlocal left, due
        due = due or name == point.after
        if due and name == point.called:
            left -= 1
            if left == 0:
                _WAYS[point.when](lambda: _die(point))

    crash.here = here
    if point.called in IN_PARTS:
        batches.is_small = lambda _: False


def _die(point: Point) -> None:
    os.write(2, f"{LAST_WORDS.format(name=point.name)}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


Die = Callable[[], None]
ABOUT_TYPES = frozenset(text for text in vars(asyncpg.introspection).values() if isinstance(text, str))
"""What the driver asks for itself before the first statement with a type that it does not know."""


def _at(die: Die) -> None:
    die()


def _sent(die: Die) -> None:
    """What this task writes to the socket next is a statement; the end comes before anything that arrives."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    prepared, plain = asyncpg.Connection._do_execute, asyncpg.Connection.execute

    async def do_execute(self: Any, query: str, executor: Any, *arguments: Any, **options: Any) -> Any:
        async def executed(*given: Any) -> Any:
            if asyncio.current_task() is task and query not in ABOUT_TYPES:
                loop.call_soon(die)
            return await executor(*given)

        return await prepared(self, query, executed, *arguments, **options)

    async def execute(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        if asyncio.current_task() is task and not arguments:
            loop.call_soon(die)
        return await plain(self, query, *arguments, **options)

    asyncpg.Connection._do_execute, asyncpg.Connection.execute = do_execute, execute


def _half(die: Die) -> None:
    copy = asyncpg.Connection.copy_records_to_table

    async def half(self: Any, table: str, *, records: Sequence[Any], **options: Any) -> None:
        await copy(self, table, records=records[: len(records) // 2], **options)
        die()

    asyncpg.Connection.copy_records_to_table = half


def _one_arrived(die: Die) -> None:
    _hold_sends(die, after=1)


def _arrived(die: Die) -> None:
    _hold_sends(die, after=0)


def _hold_sends(die: Die, *, after: int) -> None:
    """So many sends more go out, and none after them; the end comes when the broker has answered."""
    queued, left = AIOKafkaProducer.send_batch, after

    async def hold(self: Any) -> None:
        await self.flush()
        die()

    async def send_batch(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            await hold(self)
        return await queued(self, *arguments, **options)

    async def send(self: Any, *_: Any, **__: Any) -> None:
        await hold(self)

    AIOKafkaProducer.send_batch, AIOKafkaProducer.send = send_batch, send


def _asked(die: Die) -> None:
    async def start(self: aiohttp.ClientResponse, _: Any) -> None:
        while (writer := self._writer) is not None:
            await writer
        die()

    aiohttp.ClientResponse.start = start


_WAYS: dict[When, Callable[[Die], None]] = {
    When.AT: _at,
    When.SENT: _sent,
    When.HALF: _half,
    When.ONE_ARRIVED: _one_arrived,
    When.ARRIVED: _arrived,
    When.ASKED: _asked,
}
