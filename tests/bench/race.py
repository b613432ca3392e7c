"""Runs contestants over the filled topic and measures them from outside: rate, CPU, memory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import asyncpg

from ops.devstack.processes import Child

POLL_S = 0.05
DEADLINE_S = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")

PROGRESS = "SELECT coalesce(sum(next_offset), 0)::bigint FROM partition_progress WHERE topic = $1"
"""How far a contestant is that keeps mutt's progress rows."""
ROWS = """
SELECT coalesce(sum(reached), 0)::bigint FROM generate_series(0, 7) AS partitions (number),
  LATERAL (SELECT max("offset") + 1 AS reached FROM audit WHERE topic = $1 AND partition = number) AS found
"""
"""How far one is that audits every event in the order of its partition and keeps no progress."""


@dataclass(frozen=True, slots=True)
class Race:
    """One run, from the first sight of progress to the last event."""

    rate: float
    """Events a second."""
    cpu_us: float
    """CPU of the contestant's own processes an event, in microseconds, user and system."""
    first_s: float = 0.0
    """Seconds from the start of watching, which is that of the process, to the first progress."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is run: `count` events of `topic`, seen by the query `probe`."""

    pool: asyncpg.Pool
    topic: str
    count: int
    probe: str = PROGRESS

    async def done(self) -> int:
        return int(await self.pool.fetchval(self.probe, self.topic))


async def watch(children: Child | Sequence[Child], course: Course) -> Race:
    """Follows contestants until all events are done. AssertionError when one dies or stalls."""
    runners = [children] if isinstance(children, Child) else list(children)
    started = time.perf_counter()
    first = await reach(runners, course, 1)
    began, cpu = time.perf_counter(), sum(cpu_seconds(child.pid) for child in runners)
    last = await reach(runners, course, course.count)
    events = last - first
    seconds, used = time.perf_counter() - began, sum(cpu_seconds(child.pid) for child in runners) - cpu
    assert 3 * events >= course.count, f"only {events} of {course.count} events were left to time"
    return Race(events / seconds, 1e6 * used / events, began - started)


class Progress(Protocol):
    """Where something stands."""

    async def done(self) -> int: ...


async def reach(runners: Sequence[Child], course: Progress, wanted: int) -> int:
    """Waits until so many events are done; returns how many are."""
    end = time.monotonic() + DEADLINE_S
    while (done := await course.done()) < wanted:
        for child in runners:
            assert child.running, f"{child.name} ended:\n{child.tail()}"
        assert time.monotonic() < end, f"{runners[0].name} stands at {done} of {wanted}:\n{runners[0].tail()}"
        await asyncio.sleep(POLL_S)
    return done


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _fields(pid: int) -> list[str]:
    """What the kernel tells of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree_cpu_seconds(pid: int) -> float:
    """User and system time of a server with all its children, also those that have ended."""
    own = _fields(pid)
    ended = sum(int(own[at]) for at in range(11, 15))
    living = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _fields(int(path.parent.name))
        except OSError:
            continue
        living += int(fields[11]) + int(fields[12]) if int(fields[1]) == pid else 0
    return (ended + living) / _TICKS


def peak_rss_mib(pid: int) -> float:
    """The most memory a process has held so far."""
    return _memory_mib(pid, "VmHWM")


def rss_mib(pid: int) -> float:
    """The memory a process holds now."""
    return _memory_mib(pid, "VmRSS")


def _memory_mib(pid: int, what: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) / 1024
