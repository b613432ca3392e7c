"""A deterministic event loop on virtual time, and processes in it that a kill or a freeze takes between two turns."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable
from typing import Any

TURNS = 100_000
"""Turns of the loop after which a history is said to stand still: it turns without end."""


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
        self._stash: list[asyncio.Handle] = []
        self.context = contextvars.copy_context()
        self.context.run(_OWNER.set, self)

    def runs(self, handle: asyncio.Handle) -> bool:
        if handle._loop.over:  # type: ignore[attr-defined]
            return True
        if self.dead or self.frozen:
            self._stash.append(handle)
            return False
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.kill()
                self._stash.append(handle)
                return False
        return True

    def kill(self) -> None:
        if not self.dead:
            self.dead = True
            self._on_death()

    def thaw(self, loop: VirtualLoop) -> None:
        self.frozen = False
        stash, self._stash = self._stash, []
        loop.run_again(stash)


_OWNER: contextvars.ContextVar[Process] = contextvars.ContextVar("owner")


class _Handle(asyncio.Handle):
    __slots__ = ()

    def _run(self) -> None:
        owner = self._context.get(_OWNER)  # type: ignore[attr-defined]
        if owner is None or owner.runs(self):
            super()._run()  # type: ignore[misc]


class _Timer(asyncio.TimerHandle):
    """Of two timers of one moment the older runs first."""

    __slots__ = ("number",)

    number: int

    def __lt__(self, other: object) -> bool:
        return (self._when, self.number) < (other._when, other.number)  # type: ignore[attr-defined]

    def _run(self) -> None:
        owner = self._context.get(_OWNER)  # type: ignore[attr-defined]
        if owner is None or owner.runs(self):
            super()._run()  # type: ignore[misc]


class VirtualLoop(asyncio.BaseEventLoop):
    """Its time jumps to the next timer. No sockets, no threads, no signals."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self._selector = self
        self._outside = contextvars.Context()
        self._timers = 0
        self.turns = 0
        self.over = False
        """While everything is cancelled in the end also the dead run, to unwind."""

    def time(self) -> float:
        return self._seconds

    def select(self, timeout: float | None) -> tuple[()]:
        """What the base class asks of a selector: here the wait is the time that passes."""
        self.turns += 1
        if timeout is None or self.turns > TURNS:
            raise StandstillError("nothing can happen any more" if timeout is None else "it turns without end")
        self._seconds += timeout
        return ()

    def outside(self, seconds: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        """Calls it then, whatever becomes of the process that asks for it: a server does it."""
        return self.call_at(self._seconds + seconds, callback, *args, context=self._outside)

    def run_again(self, handles: list[asyncio.Handle]) -> None:
        """Before what came for the same process meanwhile."""
        self._ready.extendleft(reversed(handles))  # type: ignore[attr-defined]

    def _process_events(self, events: object) -> None: ...

    def _write_to_self(self) -> None: ...

    def _call_soon(self, callback: Any, args: Any, context: Any) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        self._timers += 1
        timer.number = self._timers
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer
