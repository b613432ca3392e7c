"""Looks at a running scenario from outside: backlog, memory, paused time."""

from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.bench.race import peak_rss_mib
from tests.load.world import World

EVERY_S = 0.1
_PAUSED = 'mutt_partitions_paused{{reason="{}"}}'


@dataclass
class Seen:
    """What was seen while a scenario ran."""

    backlog_max: int = 0
    backlog_s: float = 0.0
    """Seconds in which intake stood still for the backlog, on any worker."""
    breaker_s: float = 0.0
    """Seconds in which the breaker paused the forwarder."""
    rss_mib: float = 0.0


@asynccontextmanager
async def watching(world: World) -> AsyncIterator[Seen]:
    seen = Seen()
    task = asyncio.create_task(_watch(world, seen))
    try:
        yield seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(world: World, seen: Seen) -> None:
    last = time.monotonic()
    while True:
        pending = await world.database.pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'pending'")
        seen.backlog_max = max(seen.backlog_max, pending)
        backlog, breaker = await asyncio.to_thread(_paused, world)
        now = time.monotonic()
        seen.backlog_s += (now - last) * backlog
        seen.breaker_s += (now - last) * breaker
        last = now
        for child in world.workers:
            with contextlib.suppress(FileNotFoundError, StopIteration):  # it has just ended
                seen.rss_mib = max(seen.rss_mib, peak_rss_mib(child.pid))
        await asyncio.sleep(EVERY_S)


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
