"""Runs one contestant over the filled topic and measures it from outside: rate, CPU, memory."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from ops.devstack.processes import Child

POLL_S = 0.05
DEADLINE_S = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Race:
    """One run, from the first sight of progress to the last event."""

    rate: float
    """Events a second."""
    cpu_us: float
    """CPU of the contestant's own process an event, in microseconds, user and system."""


async def watch(child: Child, pool: asyncpg.Pool, count: int) -> Race:
    """Follows a contestant's progress rows until `count` events are done. AssertionError when it dies or stalls."""
    first = await _until(child, pool, 1)
    began, cpu = time.perf_counter(), cpu_seconds(child.pid)
    await _until(child, pool, count)
    events = count - first
    seconds, used = time.perf_counter() - began, cpu_seconds(child.pid) - cpu
    assert events > count // 2, f"only {events} of {count} events were left to time"
    return Race(events / seconds, 1e6 * used / events)


async def _until(child: Child, pool: asyncpg.Pool, wanted: int) -> int:
    end = time.monotonic() + DEADLINE_S
    while (
        done := await pool.fetchval("SELECT coalesce(sum(next_offset), 0)::bigint FROM partition_progress")
    ) < wanted:
        assert child.running, f"{child.name} ended:\n{child.tail()}"
        assert time.monotonic() < end, f"{child.name} stands at {done} of {wanted}:\n{child.tail()}"
        await asyncio.sleep(POLL_S)
    return int(done)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_rss_mib(pid: int) -> float:
    """The most memory a process has held so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
