"""The watchdog of a worker: a thread that looks for signs of life of the event loop, the consumer and the work.

Each loop tells of itself in a callback of its own, so nothing is read from a foreign thread; while a loop is blocked,
its last word stands and its turns are not counted. What it comes to is decided in `streams.core.watchdog`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from msgspec.structs import replace

from streams.core.watchdog import Reach, Signs, Watch, WatchdogPolicy

LOOK_EVERY_S = 1.0

T = TypeVar("T")


class WatchedConsumer(Protocol):
    """What the batch driver shows of itself. All but `reach` is asked in the worker's loop, and answers at once."""

    polls: int
    commits: int

    @property
    def flowing(self) -> bool: ...
    @property
    def uncommitted(self) -> bool: ...
    @property
    def rebalancing(self) -> bool: ...
    @property
    def thread_loop(self) -> asyncio.AbstractEventLoop: ...

    def reach(self) -> Reach:
        """Asked in `thread_loop`."""
        ...


class WatchedWork(Protocol):
    """What a role shows of its work; asked in the worker's loop, answers at once."""

    @property
    def work_in_hand(self) -> Mapping[str, int]:
        """What is being done and waits for nothing that may be away, by name; each count moves when some is done."""

    @property
    def paused(self) -> frozenset[tuple[str, int]]:
        """Partitions that are not read on purpose."""


class Pulse(Generic[T]):
    """Turns of one loop, and what it said last. A defect in saying it goes to `on_death`."""

    def __init__(self, say: Callable[[], T], last: T, on_death: Callable[[BaseException], None]) -> None:
        self._say = say
        self._on_death = on_death
        self._asked = False
        self.last = last
        self.turns = 0

    def ask(self, loop: asyncio.AbstractEventLoop) -> None:
        """From any thread. A loop that ended does not turn."""
        if not self._asked:
            self._asked = True
            try:
                loop.call_soon_threadsafe(self._answer)
            except RuntimeError:  # the loop is closed
                self._asked = False

    def _answer(self) -> None:
        self._asked = False
        try:
            self.last = self._say()
        except Exception as error:  # noqa: BLE001 - ends the process
            self._on_death(error)
        self.turns += 1


class Watchdog:
    """Looks until stopped. `on_standstill` gets the verdict once, on the watchdog's thread."""

    def __init__(
        self,
        policy: WatchdogPolicy,
        *,
        loop: asyncio.AbstractEventLoop,
        consumer: Callable[[], WatchedConsumer | None],
        work: WatchedWork,
        on_standstill: Callable[[str], None],
        on_death: Callable[[BaseException], None],
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        """`consumer` is None until there is one; `on_death` gets the exception of the watchdog's own defect."""
        self._watch = Watch(policy)
        self._loop = loop
        self._consumer = consumer
        self._work = work
        self._on_standstill = on_standstill
        self._on_death = on_death
        self._every_s = every_s
        self._main = Pulse(self._signs, Signs(), on_death)
        self._thread = Pulse(self._reach, Reach(), on_death)
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        try:
            while not self._stopped.wait(self._every_s):
                if (verdict := self._look()) is not None:
                    self._on_standstill(verdict)
                    return
        except Exception as error:  # noqa: BLE001 - ends the process
            self._on_death(error)

    def _look(self) -> str | None:
        self._main.ask(self._loop)
        if (consumer := self._consumer()) is not None:
            self._thread.ask(consumer.thread_loop)
        signs = replace(self._main.last, turns=self._main.turns, thread_turns=self._thread.turns or None)
        return self._watch.look(time.monotonic(), signs)

    def _signs(self) -> Signs:
        consumer, reach = self._consumer(), self._thread.last
        if consumer is None:
            return Signs(work=self._work.work_in_hand)
        paused = self._work.paused
        return Signs(
            polls=consumer.polls,
            commits=consumer.commits,
            flowing=consumer.flowing,
            uncommitted=consumer.uncommitted,
            rebalancing=consumer.rebalancing or not reach.member,
            broker=reach.broker,
            work=self._work.work_in_hand,
            reading={
                f"{topic}:{partition}": moves
                for (topic, partition), moves in reach.reading.items()
                if consumer.flowing and (topic, partition) not in paused
            },
        )

    def _reach(self) -> Reach:
        consumer = self._consumer()
        return Reach() if consumer is None else consumer.reach()
