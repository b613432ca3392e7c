"""Runs one history: its steps against workers and servers, then whatever it takes to become quiet."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

from tests.histories.desk import Desk
from tests.histories.logs import Logs
from tests.histories.loop import StandstillError, VirtualLoop
from tests.histories.members import Members
from tests.histories.quiet import Quiet
from tests.histories.scene import Scene
from tests.histories.steps import Plan


class World(Scene):
    """One history, with everybody in it."""

    def __init__(self, plan: Plan, loop: VirtualLoop) -> None:
        super().__init__(plan, loop)
        self.members = Members(self)
        self.logs = Logs(self, self.members)
        self.desk = Desk(self, self.members, self.logs)
        self.quiet = Quiet(self, self.members, self.logs)
        self._steps: dict[str, Callable[..., None]] = {
            "produce": self.logs.produce,
            "gap": self.logs.gap,
            "retain": self.logs.retain,
            "truncate": self.logs.truncate,
            "replace": self.logs.replace,
            "rebalance": self.members.rebalance,
            "crash": self.members.crash,
            "freeze": self.members.freeze,
            "stop": self.members.stop,
            "config": self.members.versions.config,
            "pause": self.members.versions.pause,
            "replay": self.desk.replay,
            "fault": self._arm,
            "answers": self._answer,
            "clock": self._step_clock,
        }

    async def run(self) -> None:
        for _ in range(self.plan.matchers):
            self.members.start("match")
        for _ in range(self.plan.forwarders):
            self.members.start("forward")
        for step in self.plan.steps:
            self._steps[step.do](*step.give)
            await asyncio.sleep(step.wait)
        await self.quiet.come()

    def _arm(self, name: str, kind: str, times: int) -> None:
        self.servers.armed[name].extend([kind] * times)

    def _answer(self, *answers: str) -> None:
        self.servers.receiver.answers.extend(answers)

    def _step_clock(self, skew_s: float) -> None:
        self.clock.skew_s = skew_s
        self.effects["clock step"] += 1


def play(plan: Plan) -> World:
    """Runs the history of a plan to its end; nothing of it is left running."""
    loop = VirtualLoop()
    before = random.getstate()
    random.seed(plan.seed)
    world = World(plan, loop)
    main = loop.create_task(world.run())
    try:
        loop.run_until_complete(main)
    except StandstillError as still:
        world.seen.append(("stuck", "loop", str(still)))
    finally:
        _end(world, loop)
        random.setstate(before)
    return world


def _end(world: World, loop: VirtualLoop) -> None:
    """Cancels whatever there still is."""
    world.members.over = True
    loop.turns = -1_000_000
    loop.over = True
    for round_ in range(4):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        if round_ == 0:
            for process in world.members.processes:
                process.thaw(loop)
        with contextlib.suppress(StandstillError):
            loop.run_until_complete(_gone(tasks))
    loop.close()


async def _gone(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
