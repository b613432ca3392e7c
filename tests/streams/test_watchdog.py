"""The watchdog's thread: notices what the blocked loop itself cannot, takes each loop's own word, tells it once."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from streams.core.watchdog import Reach, WatchdogPolicy
from streams.watchdog import Watchdog

TIGHT_S = 0.2
LIVES_S = 1.0
"""Longer than what lives is kept waiting on a busy machine."""


def policy(**tight: float) -> WatchdogPolicy:
    """Patient but for what is named: on a busy machine what lives gives no sign for a while."""
    patient = dict.fromkeys(("loop_s", "polls_s", "commits_s", "rebalance_s", "work_s", "late_s"), 60.0)
    return WatchdogPolicy(**patient | tight)


EVERY_S = 0.01
HERE = ("t", 3)
READ_NO_MORE = Reach(broker=True, member=True, reading={HERE: 5})


class Turning:
    """An event loop that turns on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Worker:
    """A worker that lives: what a test sets stands still. Implements WatchedConsumer and WatchedWork."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread_loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.thread_loop = thread_loop
        self.polls = 0
        self.commits = 0
        self.flowing = True
        self.uncommitted = False
        self.rebalancing = False
        self.moves = True
        self.reached: Reach | None = None
        self.work_in_hand: Mapping[str, int] = {}
        self.paused: frozenset[tuple[str, int]] = frozenset()
        self.verdicts: queue.Queue[str] = queue.Queue()
        self.deaths: queue.Queue[BaseException] = queue.Queue()
        self.told = threading.Event()

    def reach(self) -> Reach:
        assert asyncio.get_running_loop() is self.thread_loop
        if self.moves:
            self.polls += 1
        self.told.set()
        return self.reached or Reach(broker=True, member=True, reading={HERE: self.polls})

    def watchdog(self, policy: WatchdogPolicy) -> Watchdog:
        return Watchdog(
            policy, loop=self._loop, consumer=lambda: self, work=self, on_standstill=self.verdicts.put,
            on_death=self.deaths.put, every_s=EVERY_S,
        )  # fmt: skip


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """One that is watched by the policy that a test gives."""
    main, thread = Turning(), Turning()
    worker = Worker(main.loop, thread.loop)
    watchdog = worker.watchdog(getattr(request, "param", policy()))
    watchdog.start()
    assert worker.told.wait(10)
    yield worker
    watchdog.stop()
    main.close()
    thread.close()


@pytest.mark.parametrize(
    ("worker", "stop", "words"),
    [
        (policy(loop_s=1), lambda it, block: it._loop.call_soon_threadsafe(block), "the event loop has not turned"),
        (
            policy(loop_s=1), lambda it, block: it.thread_loop.call_soon_threadsafe(block),
            "the consumer's thread has not turned",
        ),
        (policy(polls_s=TIGHT_S), lambda it, _: setattr(it, "moves", False), "no poll has ended"),
        (policy(commits_s=TIGHT_S), lambda it, _: setattr(it, "uncommitted", True), "no offset was committed"),
        (policy(rebalance_s=TIGHT_S), lambda it, _: setattr(it, "rebalancing", True), "has waited for its partitions"),
        (
            policy(rebalance_s=TIGHT_S), lambda it, _: setattr(it, "reached", Reach(broker=True)),
            "has waited for its partitions",
        ),
        (
            policy(work_s=TIGHT_S), lambda it, _: setattr(it, "work_in_hand", {"posting": 7}),
            "posting has finished nothing",
        ),
        (policy(work_s=TIGHT_S), lambda it, _: setattr(it, "reached", READ_NO_MORE), "t:3 was not read"),
    ],
    indirect=["worker"],
)  # fmt: skip
def test_what_stands_still_is_told(
    worker: Worker, stop: Callable[[Worker, Callable[[], object]], object], words: str
) -> None:
    over = threading.Event()
    stop(worker, lambda: over.wait(30))
    try:
        assert words in worker.verdicts.get(timeout=10)
    finally:
        over.set()


@pytest.mark.parametrize("worker", [policy(work_s=TIGHT_S)], indirect=True)
@pytest.mark.parametrize("change", [{"paused": frozenset({HERE})}, {"flowing": False}], ids=["paused", "no room"])
def test_what_is_not_to_be_read_is_not_missed(worker: Worker, change: Mapping[str, object]) -> None:
    for name, value in change.items():
        setattr(worker, name, value)
    worker.reached = READ_NO_MORE
    with pytest.raises(queue.Empty):
        worker.verdicts.get(timeout=5 * TIGHT_S)


def test_a_worker_that_lives_is_left_alone_and_a_stopped_watchdog_says_nothing() -> None:
    main, thread = Turning(), Turning()
    worker = Worker(main.loop, thread.loop)
    watchdog = worker.watchdog(policy(loop_s=LIVES_S, polls_s=LIVES_S, work_s=LIVES_S))
    watchdog.start()
    assert worker.told.wait(10)
    polls = worker.polls
    with pytest.raises(queue.Empty):
        worker.verdicts.get(timeout=2 * LIVES_S)
    assert worker.polls > polls
    watchdog.stop()
    main.close()
    thread.close()
    with pytest.raises(queue.Empty):
        worker.verdicts.get(timeout=2 * LIVES_S)
    assert worker.deaths.empty()


def test_a_defect_while_looking_does_not_blind_it_unseen(worker: Worker) -> None:
    defect = KeyError("paused")
    worker.reach = _raising(defect)  # type: ignore[method-assign]
    assert worker.deaths.get(timeout=10) is defect


def _raising(defect: BaseException) -> Callable[[], Reach]:
    def reach() -> Reach:
        raise defect

    return reach


def test_before_there_is_a_consumer_the_loop_is_watched_already() -> None:
    main = Turning()
    worker = Worker(main.loop, main.loop)
    watchdog = Watchdog(
        policy(loop_s=TIGHT_S), loop=main.loop, consumer=lambda: None, work=worker, on_standstill=worker.verdicts.put,
        on_death=worker.deaths.put, every_s=EVERY_S,
    )  # fmt: skip
    over = threading.Event()
    watchdog.start()
    main.loop.call_soon_threadsafe(over.wait, 30)
    try:
        began = time.monotonic()
        assert "the event loop" in worker.verdicts.get(timeout=10)
        assert time.monotonic() - began >= TIGHT_S / 2
    finally:
        over.set()
        main.close()
