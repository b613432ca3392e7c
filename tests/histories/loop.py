"""A deterministic event loop on virtual time, and processes in it that a kill or a freeze takes between two turns."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

TURNS = 100_000
"""Turns of the loop after which a history is said to stand still: it turns without end."""
SAME_MOMENT_S = 1e-9
"""Timers that are no further apart are due together: sums of floats differ by less."""


class StandstillError(Exception):
    """Nothing can happen any more, or nothing but turning comes of it."""


class Process:
    """Everything that runs in `context` belongs to it. Kill -9: nothing of it runs ever again, no `finally` either.

    Frozen, what would run waits in its order. `fuse` counts the turns until it is killed: so a kill falls between any
    two awaits.
    """

    def __init__(self, name: str, on_death: Callable[[], None]) -> None:
        self.name = name
        self.dead = False
        self.frozen = False
        self.fuse: int | None = None
        self._on_death = on_death
        self._stash: list[Handle] = []
        self.context = contextvars.copy_context()
        self.context.run(_OWNER.set, self)

    def holds_back(self, handle: Handle) -> bool:
        """Whether it does not run now; then it is kept here."""
        if self.fuse is not None and not (self.dead or self.frozen):
            self.fuse -= 1
            if self.fuse < 0:
                self.kill()
        if self.dead or self.frozen:
            self._stash.append(handle)
            return True
        return False

    def kill(self) -> None:
        if not self.dead:
            self.dead = True
            self._on_death()

    def thaw(self, loop: VirtualLoop) -> None:
        self.frozen = False
        stash, self._stash = self._stash, []
        loop.run_again(stash)


_OWNER: contextvars.ContextVar[Process] = contextvars.ContextVar("owner")


class Handle:
    """What is to be called. asyncio's own can more, and a history makes hundreds of them."""

    __slots__ = ("args", "callback", "cancelled", "context")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...], context: contextvars.Context) -> None:
        self.callback, self.args, self.context = callback, args, context
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualLoop(asyncio.BaseEventLoop):
    """Its time jumps to the next timer. No sockets, no threads, no signals. What a callback raises ends the run."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._outside = contextvars.Context()
        self._queue: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        """A heap; of two timers of one moment the older runs first."""
        self._numbers = 0
        self.turns = 0
        self.over = False
        """While everything is cancelled in the end also the dead run, to unwind."""

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        """One turn, as the base class asks for it: time passes only if nothing is to be done now."""
        queue = self._queue
        self.turns += 1
        if not queue:
            self._pass_time()
        if self.turns > TURNS:
            raise StandstillError("it turns without end")
        self._take_due()
        over = self.over
        for _ in range(len(queue)):
            handle = queue.popleft()
            if handle.cancelled:
                continue
            owner = handle.context.get(_OWNER)
            if owner is None or over or not owner.holds_back(handle):
                handle.context.run(handle.callback, *handle.args)

    def _pass_time(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled:
            heappop(timers)
        if not timers:
            raise StandstillError("nothing can happen any more")
        self._now = max(self._now, timers[0][0])

    def _take_due(self) -> None:
        timers, until = self._timers, self._now + SAME_MOMENT_S
        while timers and timers[0][0] < until:
            self._queue.append(heappop(timers)[2])

    def outside(self, seconds: float, callback: Callable[..., Any], *args: Any) -> Handle:
        """Calls it then, whatever becomes of the process that asks for it: a server does it."""
        return self._call_at(self._now + seconds, callback, args, self._outside)

    def run_again(self, handles: list[Handle]) -> None:
        """Before what came for the same process meanwhile."""
        self._queue.extendleft(reversed(handles))

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = Handle(callback, args, _given(context))
        self._queue.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self._call_at(self._now + delay, callback, args, _given(context))

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self._call_at(when, callback, args, _given(context))

    def _call_at(self, when: float, callback: Any, args: tuple[Any, ...], context: contextvars.Context) -> Handle:
        handle = Handle(callback, args, context)
        self._numbers += 1
        heappush(self._timers, (when, self._numbers, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def _write_to_self(self) -> None: ...


def _given(context: contextvars.Context | None) -> contextvars.Context:
    return contextvars.copy_context() if context is None else context
