"""Plays a plan on the real servers, and has the books balanced by the checker when all is quiet."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

from ops.devstack.processes import StackFailed
from tests.chaos.checker import Sources, checked
from tests.chaos.checker.watch import Watch
from tests.chaos.desk import Operator
from tests.chaos.faults.strikes import STRIKES
from tests.chaos.hit import Hit, Scene
from tests.chaos.memory import CAPS, Memory
from tests.chaos.plan import Plan, Step
from tests.chaos.played import Played
from tests.chaos.stack import MISSING, ChaosStack, servers
from tests.chaos.world import OUTAGE, WORKERS, World, world
from tests.integration.pipeline import settled, until

ATTEMPTS = 3
"""A step that met no work in flight is played again."""
READY_S = 90.0
QUIET_S = 180.0
END_S = 60.0
_FAILURES = (AssertionError, StackFailed, *OUTAGE)


def play(plan: Plan, home: Path) -> Played:
    """Blocks until the books are balanced. Raises StackFailed when a server does not come up at all."""
    played = Played(plan)
    began = time.monotonic()
    with servers(home, plan) as stack:
        played.seconds["servers"] = round(time.monotonic() - began, 1)
        asyncio.run(_play(played, stack))
    played.seconds["all"] = round(time.monotonic() - began, 1)
    return played


async def _play(played: Played, stack: ChaosStack) -> None:
    async with world(stack, played.plan) as made:
        memory = Memory(stack.layout.home / "memory.jsonl", lambda: _pids(made))
        watch = Watch(made.database.dsn, stack.kafka.bootstrap)
        await until(lambda: _ready(made), "workers decide", within=READY_S)
        memory.start()
        watch.start()
        began = time.monotonic()
        try:
            await _steps(played, made)
            played.seconds["steps"] = round(time.monotonic() - began, 1)
            await _quiet(played, made)
        except _FAILURES as failure:
            played.problems.append(f"{type(failure).__name__}: {failure}")
        finally:
            memory.stop()
            seen = await asyncio.to_thread(watch.stop)
        played.most, played.missed, played.ended = memory.most, seen.missed, made.ended
        began = time.monotonic()
        sources = Sources(
            dsn=made.database.dsn,
            bootstrap=stack.kafka.bootstrap,
            logs=sorted(stack.layout.logs.glob("*.log")),
            receiver_logs=[stack.sink_log],
            journals=[stack.layout.home / "journal.jsonl"],
            memory=[memory.path],
            caps=CAPS,
            canaries=[path.read_text().strip() for path in stack.layout.secrets.iterdir()],
            samples=seen.samples,
            seed=str(played.plan.seed),
        )
        played.report = await checked(sources)
        played.seconds["check"] = round(time.monotonic() - began, 1)


def _pids(made: World) -> dict[str, int]:
    return {name: made.child(name).pid for name in WORKERS if name in made.wanted}


async def _ready(made: World) -> bool:
    """The first records are through, so each worker may have partitions."""
    made.look_after()
    made.sender.more(20)
    return len(await made.stands() or {}) >= 24 and made.received() > 0


async def _steps(played: Played, made: World) -> None:
    operator = Operator(made.stack)
    steps = played.plan.steps
    for step in steps:
        if missing := MISSING.get(step.do):
            played.not_run.append(f"{step.name}: {missing}")
            continue
        left = max(0, played.plan.events - made.sender.sent)
        made.sender.allow(left // (len(steps) - step.number + 1) * 3 // 4)
        hit = await _strike(made, operator, step)
        played.hits.append(hit)
        say(f"{step.number}/{len(steps)} {_told(hit)}; {made.sender.sent} sent")
    made.sender.allow(max(0, played.plan.events - made.sender.sent))


async def _strike(made: World, operator: Operator, step: Step) -> Hit:
    """The step, again where no work was in flight."""
    for _ in range(ATTEMPTS):
        hit = Hit(step)
        began = time.monotonic()
        try:
            await STRIKES[step.do](Scene(made, operator, step, hit))
        except _FAILURES as failure:
            hit.problem = f"{type(failure).__name__}: {failure}"
        finally:
            made.look_after()
        hit.seconds = round(time.monotonic() - began, 2)
        if hit.effective or hit.problem:
            break
    return hit


def _told(hit: Hit) -> str:
    outcome = hit.problem or ("" if hit.effective else "met no work in flight")
    times = f"took over in {hit.takeover_s} s" if hit.takeover_s is not None else f"{hit.seconds} s"
    return " ".join(part for part in (hit.step.do, hit.step.target, str(hit.found), times, outcome) if part)


async def _quiet(played: Played, made: World) -> None:
    """No fault any more: everything is processed and delivered, and every worker ends well."""
    began = time.monotonic()
    for link in made.links.values():
        await asyncio.to_thread(link.heal)
    await asyncio.to_thread(made.sender.finish)
    played.sent, played.answers = made.sender.sent, dict(made.sender.answers)
    await _none_halts(made)
    await settled(made.pool, made.stack.kafka.bootstrap, within=QUIET_S)
    await until(lambda: _delivered(made), "all alerts are delivered", within=QUIET_S)
    await until(lambda: made.begun(*WORKERS), "every worker has begun", within=QUIET_S)
    made.wanted.clear()
    await _end_well(played, made)
    played.repeats = int((await asyncio.to_thread(made.stack.sink_stats))["duplicates"])
    played.seconds["quiet"] = round(time.monotonic() - began, 1)


async def _none_halts(made: World) -> None:
    """Nothing that a plan does to the system halts a partition, and one that did would be waited for in vain."""
    halted = await made.pool.fetch(
        "SELECT topic, partition, halted_reason FROM partition_progress WHERE halted_at IS NOT NULL"
    )
    assert not halted, "; ".join(f"{row['topic']}:{row['partition']} halted: {row['halted_reason']}" for row in halted)


async def _end_well(played: Played, made: World) -> None:
    """SIGTERM to all at once; each has status 0."""
    children = [made.child(name) for name in WORKERS]
    for child in children:
        child.signal(signal.SIGTERM)
    for child in children:
        try:
            status = await asyncio.to_thread(child.process.wait, END_S)
        except subprocess.TimeoutExpired:
            status = None
        if status != 0:
            told = f"did not end in {END_S:.0f} s" if status is None else f"ended with status {status}"
            played.problems.append(f"{child.name} {told} at the end: {child.tail(300)}")


async def _delivered(made: World) -> bool:
    """Also what was replayed: nothing is pending or on its way."""
    made.look_after()
    return await made.pending_alerts() == 0


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
