"""Looks at a running scenario from outside: backlog, memory, paused time; and tells how it goes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.bench.race import peak_rss_mib
from tests.load.world import World

EVERY_S = 0.2
TELL_S = 3.0
_PAUSED = 'mutt_partitions_paused{{reason="{}"}}'


@dataclass
class Seen:
    """What was seen while a scenario ran."""

    paused_s: float = 0.0
    """Seconds in which intake stood still for the backlog, as any worker's metrics tell."""
    pauses: int = 0
    """How often that began."""
    stood_s: float = 0.0
    """Seconds in which no partition moved although records waited, as tables and producer tell."""
    breaker_s: float = 0.0
    """Seconds in which the breaker paused the forwarder."""
    rss_mib: float = 0.0
    """The most memory that one worker held."""


@asynccontextmanager
async def watching(world: World, name: str) -> AsyncIterator[Seen]:
    """Looks until the end of the block. What goes wrong in looking ends the block's scenario at its end."""
    seen = Seen()
    task = asyncio.create_task(_watch(world, seen, name))
    try:
        yield seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(world: World, seen: Seen, name: str) -> None:
    begun = last = told = time.monotonic()
    done, paused = 0, False
    while True:
        was_done, was_paused = done, paused
        done, pending = await world.database.pool.fetchrow(_STANDS)
        paused, breaker = await asyncio.to_thread(_paused, world)
        now = time.monotonic()
        seen.paused_s += (now - last) * paused
        seen.pauses += paused and not was_paused
        seen.breaker_s += (now - last) * breaker
        seen.stood_s += (now - last) * (done == was_done < world.offered)
        seen.rss_mib = max([seen.rss_mib, *_memory(world)])
        last = now
        if now >= told + TELL_S:
            told = now
            state = "paused" if paused else "breaker open" if breaker else ""
            say(f"{name}: {now - begun:3.0f} s, {done} of {world.offered} decided, {pending} alerts wait {state}")
        await asyncio.sleep(EVERY_S)


_STANDS = """
SELECT (SELECT coalesce(sum(next_offset), 0)::bigint FROM partition_progress),
       (SELECT count(*) FROM alerts WHERE state = 'pending')
"""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _memory(world: World) -> list[float]:
    found = []
    for child in world.workers:
        with contextlib.suppress(FileNotFoundError, StopIteration):  # it has just ended
            found.append(peak_rss_mib(child.pid))
    return found


def _paused(world: World) -> tuple[bool, bool]:
    """Whether any worker has partitions paused for the backlog, for the breaker."""
    texts = [_metrics(port) for port in world.ports.values()]
    return _any(texts, "backlog"), _any(texts, "breaker")


def _any(texts: list[str], reason: str) -> bool:
    name = _PAUSED.format(reason)
    return any(line.startswith(name) and float(line.split()[-1]) > 0 for text in texts for line in text.splitlines())


def _metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""
