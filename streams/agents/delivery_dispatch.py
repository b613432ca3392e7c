"""Sends out what waits: whenever the gate lets a post through, the next of the lineup goes, on a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from streams import crash
from streams.agents.delivery_gate import RECHECK_S, Gate, Sleep
from streams.agents.delivery_hold import Held
from streams.core.lineup import Lineup
from streams.core.ports import Clock
from streams.core.watchdog import Chore


class Delivery(Protocol):
    """What is done with one alert. Neither method raises anything but a defect."""

    async def post(self, held: Held) -> float | None:
        """Posts once. Seconds until it is tried again; None where it is not: `Dispatch.done` ends its turn."""

    def over(self, held: Held) -> bool:
        """Whether it is too old to be tried any more; then it is given up, and written down as that."""

    def give_up(self, held: Held) -> None: ...


class Dispatch:
    """What waits, and the posts on their way. `on_death` gets the exception of a post that ends by a defect."""

    def __init__(
        self, delivery: Delivery, gate: Gate, *, clock: Clock, sleep: Sleep, on_death: Callable[[BaseException], None]
    ) -> None:
        self._delivery = delivery
        self._gate = gate
        self._clock = clock
        self._sleep = sleep
        self._on_death = on_death
        self._lineup: Lineup[Held] = Lineup()
        self._posts: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._sweep_at = 0.0
        self.dispatching = Chore("dispatching posts")
        self.posting = Chore("posting")

    def add(self, held: Held) -> None:
        self._lineup.add(held.alert.hostname, held.alert.severity.number, held)
        self._moved.set()

    def done(self, held: Held) -> None:
        """What was posted is settled or let go: the next of its host may go."""
        self._lineup.done(held.alert.hostname)
        self._moved.set()

    def look(self) -> None:
        """Something changed that posts may have waited for."""
        self._moved.set()

    def drop_waiting(self) -> list[Held]:
        """Everything that is not on its way."""
        return self._lineup.clear()

    async def idle(self) -> None:
        """Waits until nothing is on its way."""
        while self._posts:
            await asyncio.wait(self._posts)
            await asyncio.sleep(0)  # the tasks' callbacks

    async def run(self) -> None:
        """Sends until cancelled; then what is on its way is cut, and comes again."""
        try:
            with self.dispatching:
                while True:
                    self._moved.clear()
                    await self._sleep_or_move(self._send())
                    self.dispatching.done += 1
        finally:
            for post in self._posts:
                post.cancel()

    def _send(self) -> float:
        """Sends as much as may go now. Seconds until to look again."""
        self._give_up_old()
        while self._next() is not None:
            wait = self._gate.enter()
            if wait > 0.0:
                return wait
            crash.here("token_taken")
            self._start(self._lineup.pick(self._clock.monotonic()))
        recheck, rests_until = self._gate.look(), self._lineup.next_at()
        return recheck if rests_until is None else min(recheck, max(0.0, rests_until - self._clock.monotonic()))

    def _next(self) -> Held | None:
        """What goes next; gives up what is over in its place."""
        now = self._clock.monotonic()
        while (held := self._lineup.first(now)) is not None and self._delivery.over(held):
            self._lineup.pick(now)
            self._delivery.give_up(held)
            self._lineup.done(held.alert.hostname)
        return held

    def _give_up_old(self) -> None:
        """Once in a while also what is not next: behind a receiver that is down nothing ever is."""
        if self._clock.monotonic() >= self._sweep_at:
            self._sweep_at = self._clock.monotonic() + RECHECK_S
            for held in self._lineup.sweep(self._delivery.over):
                self._delivery.give_up(held)

    def _start(self, held: Held) -> None:
        task = asyncio.create_task(self._deliver(held), name="post one alert")
        self._posts.add(task)
        task.add_done_callback(self._ended)

    async def _deliver(self, held: Held) -> None:
        with self.posting:
            delay = await self._delivery.post(held)
        if delay is not None:
            self._lineup.again(held.alert.hostname, self._clock.monotonic() + delay)
            self._moved.set()

    async def _sleep_or_move(self, seconds: float) -> None:
        """Until the time is over or something moved."""
        if self._moved.is_set():
            return
        waits = [
            asyncio.ensure_future(self._sleep(min(seconds, RECHECK_S))),
            asyncio.ensure_future(self._moved.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._posts.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_death(error)
