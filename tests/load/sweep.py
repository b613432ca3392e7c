"""The sweep: what warn and shed thresholds and the time between counts do, each setting under the same storm.

Mode defer. Every setting starts from an empty backlog and gets the same events at once while the receiver is slow;
then the receiver recovers, and it is measured until the last alert is delivered.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import Any

from ops.devstack.stack import Stack
from tests.integration.pipeline import gauge, settled, until
from tests.load import facts, verdict
from tests.load.report import overshoot_cap
from tests.load.traffic import alerts_alone, offer
from tests.load.watch import say
from tests.load.world import World, all_delivered, ready, world

RATE, STORM_S = 1000.0, 2.6
"""Events offered a second, each of which raises an alert, and for how long."""
SLOW_S = 12.0
IN_FLIGHT, DELAY_MS = 16, 320
RECEIVER = 1000 * IN_FLIGHT / DELAY_MS
"""Alerts a second that the slow receiver takes: a twentieth of what is offered, and the default of moog_rate_limit."""
CONFIG = {"alerter_queue_hard_limit": "100000", "moog_max_in_flight": str(IN_FLIGHT), "moog_rate_limit": "1000"}
CROSSED = 'mutt_backlog_crossings_total{direction="up",threshold="shed"}'


@dataclass(frozen=True)
class Setting:
    warn: int
    shed: int
    defer_sleep_ms: int


SETTINGS = tuple(
    Setting(*values)
    for values in (
        (1000, 2000, 250), (1000, 2000, 50), (1000, 2000, 2000), (1800, 2000, 250), (500, 1000, 250),
        (250, 500, 250), (450, 500, 250), (50, 500, 250), (100, 200, 250), (100, 200, 50), (100, 200, 1000),
        (10, 200, 250), (10, 200, 1000), (25, 50, 250), (5, 20, 250),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What one setting came to."""

    setting: Setting
    backlog_max: int
    overshoot: int
    """Alerts beyond the shed threshold."""
    decided_per_s: float
    """Events decided a second while the receiver was slow."""
    receiver_used: float
    """Part of what the slow receiver could take that it was given."""
    latency_p50_s: float
    latency_p99_s: float
    """From an alert's commit until the receiver took it."""
    pauses_per_min: float
    """Of one worker."""
    drain_s: float
    """From the receiver's recovery to the last delivery."""
    lost: int


def run(stack: Stack) -> dict[str, Any]:
    """All settings, one after the other, on the same workers."""
    rows = asyncio.run(_all(stack))
    print(table(rows))
    problems = [f"{row.setting}: {row.lost} lost" for row in rows if row.lost] + [
        f"{row.setting}: overshoot {row.overshoot}"
        for row in rows
        if row.overshoot > overshoot_cap(2, row.setting.shed)
    ]
    figures = [_flat(row) for row in rows]
    return {"ok": not problems, "problems": problems, "cores": os.cpu_count(), "receiver_per_s": RECEIVER,
            "offered_per_s": RATE, "sweep": figures}  # fmt: skip


def _flat(row: Row) -> dict[str, Any]:
    figures = asdict(row)
    return {**figures.pop("setting"), **figures}


def table(rows: list[Row]) -> str:
    """In Markdown. The thresholds also in seconds of what the slow receiver takes."""
    head = (
        "| warn | shed | sleep ms | shed, in s of receiver | max backlog / shed | overshoot | decided/s |"
        " receiver used | latency p50 s | p99 s | pauses/min | drain s |"
    )
    lines = [head, "|" + " ---: |" * 12]
    for row in rows:
        at, rise = row.setting, row.backlog_max / row.setting.shed
        lines.append(
            f"| {at.warn} | {at.shed} | {at.defer_sleep_ms} | {at.shed / RECEIVER:g} | {rise:.2f} |"
            f" {row.overshoot} | {row.decided_per_s:.0f} | {row.receiver_used:.0%} | {row.latency_p50_s:.1f} |"
            f" {row.latency_p99_s:.1f} | {row.pauses_per_min:.0f} | {row.drain_s:.1f} |"
        )
    return "\n".join(lines)


async def _all(stack: Stack) -> list[Row]:
    async with world(stack, **CONFIG) as made:
        await until(lambda: ready(made), "workers have partitions", within=60)
        await _measure(made, SETTINGS[0])  # everything has been done once before it counts
        return [await _measure(made, setting) for setting in SETTINGS]


async def _measure(made: World, setting: Setting) -> Row:
    say(f"warn {setting.warn}, shed {setting.shed}, sleep {setting.defer_sleep_ms} ms")
    await made.set(alerter_defer_sleep_ms=str(setting.defer_sleep_ms))
    await made.thresholds(setting.warn, setting.shed)
    made.receiver(delay_ms=DELAY_MS)
    await asyncio.sleep(1.5)  # configuration is live within a second
    crossed, since = await _crossings(made), time.time()
    load = offer(made.bootstrap, rate=RATE, seconds=STORM_S, make=alerts_alone)
    await asyncio.sleep(SLOW_S)
    recovered = time.time()
    made.receiver()
    await asyncio.to_thread(load.join)
    await settled(made.database.pool, made.bootstrap)
    await until(lambda: all_delivered(made), "all alerts are delivered")
    crossed = await _crossings(made) - crossed
    found = await facts.read(made.database.pool, made.posts(), since=since)
    row = _row(setting, found, since, recovered, crossed, load.sent)
    say(f"  {json.dumps(_flat(row))}")
    return row


def _row(setting: Setting, found: facts.Facts, since: float, recovered: float, crossed: float, offered: int) -> Row:
    slow_s, posts = recovered - since, [post for post in found.posts if post.came >= since]
    waits, last = verdict.latencies(found.raised, posts), max(post.at for post in posts)
    deepest = verdict.backlog_max(found.raised)
    taken = {post.id for post in posts if post.taken}
    return Row(
        setting=setting,
        backlog_max=deepest,
        overshoot=max(0, deepest - setting.shed),
        decided_per_s=round(sum(at < recovered for at in found.decided) / slow_s, 1),
        receiver_used=round(sum(post.at < recovered for post in posts) / (RECEIVER * slow_s), 3),
        latency_p50_s=round(verdict.quantile(waits, 0.5), 2),
        latency_p99_s=round(verdict.quantile(waits, 0.99), 2),
        pauses_per_min=round(60 * crossed / (last - since), 1),
        drain_s=round(last - recovered, 1),
        lost=offered - len(taken),
    )


async def _crossings(made: World) -> float:
    """How often the backlog crossed the shed threshold, of a worker on average."""
    counts = [await asyncio.to_thread(gauge, made.ports[name], CROSSED) for name in made.matchers]
    return sum(counts) / len(counts)
