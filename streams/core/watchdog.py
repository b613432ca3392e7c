"""When a worker stands still though work waits: from signs of life and the time to a verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class WatchdogPolicy(Struct, frozen=True, kw_only=True):
    """Seconds without a sign of life after which a worker is given up. Each is well beyond what ordinary waits take:
    a statement's timeout is 10 s, and several make a transaction."""

    loop_s: float = 30.0
    polls_s: float = 60.0
    commits_s: float = 60.0
    rebalance_s: float = 150.0
    """More than twice the group's rebalance timeout."""
    work_s: float = 120.0
    late_s: float = 5.0
    """A look that comes this late means that the whole process was frozen: everything gets its time again."""

    @classmethod
    def of(cls, seconds: float, *, slowest_s: float = 0.0) -> WatchdogPolicy:
        """Everything in proportion to one number; `slowest_s` is what one piece of work may rightly take."""
        return cls(
            loop_s=seconds / 2,
            polls_s=seconds,
            commits_s=seconds,
            rebalance_s=2.5 * seconds,
            work_s=2 * max(seconds, slowest_s),
        )


class Signs(Struct, frozen=True, kw_only=True):
    """Counters that move while the worker lives, and what excuses it when they do not."""

    turns: int = 0
    """Turns of the event loop, one a look."""
    thread_turns: int | None = None
    """The same of the consumer's own thread; None before it runs."""
    polls: int = 0
    commits: int = 0
    """Commits of offsets that Kafka took."""
    flowing: bool = False
    """A poll is due: records may flow and what was read has room."""
    uncommitted: bool = False
    """Something is acknowledged that Kafka was not told yet."""
    rebalancing: bool = False
    """The worker waits for its partitions."""
    broker: bool = True
    """A broker answers; without one nobody commits or joins."""
    work: Mapping[str, int] = {}
    """What has work in hand that nothing holds back, by name, and how often each has finished any."""
    reading: Mapping[str, int] = {}
    """Partitions that nothing keeps from being read, by name, and a number that moves while they are."""


class Reach(Struct, frozen=True, kw_only=True):
    """What the consumer's own thread knows of Kafka."""

    broker: bool = False
    """The group's coordinator answers."""
    member: bool = False
    """The worker is in its group, as far as it knows."""
    reading: Mapping[tuple[str, int], int] = {}
    """Partitions that can be read now, and a number that moves while they are."""


class Chore:
    """One kind of work as the watchdog sees it: `with` it while it is done, not while it waits to be tried again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done = 0
        self.in_hand = 0

    def __enter__(self) -> None:
        self.in_hand += 1

    def __exit__(self, *_: object) -> None:
        self.in_hand -= 1
        self.done += 1


def work_of(*chores: Chore) -> dict[str, int]:
    """What is in hand, and how often each was done."""
    return {chore.name: chore.done for chore in chores if chore.in_hand}


class Watch:
    """Remembers when each sign moved last. `look` is asked again and again, with monotonic seconds."""

    def __init__(self, policy: WatchdogPolicy) -> None:
        self._policy = policy
        self._looked: float | None = None
        self._since: dict[str, tuple[object, float]] = {}

    def look(self, now: float, signs: Signs) -> str | None:
        """What stood still for too long, in one line; None while the worker lives or is excused."""
        policy = self._policy
        if self._looked is not None and now - self._looked > policy.late_s:
            self._since.clear()
        self._looked = now
        watched: list[tuple[str, object, float]] = [("the event loop has not turned", signs.turns, policy.loop_s)]
        if signs.thread_turns is not None:
            watched.append(("the consumer's thread has not turned", signs.thread_turns, policy.loop_s))
        if signs.flowing:
            watched.append(("no poll has ended", signs.polls, policy.polls_s))
        if signs.uncommitted and signs.broker:
            watched.append(("no offset was committed", signs.commits, policy.commits_s))
        if signs.rebalancing and signs.broker:
            watched.append(("the worker has waited for its partitions", None, policy.rebalance_s))
        watched += [(f"{name} has finished nothing", count, policy.work_s) for name, count in signs.work.items()]
        watched += [(f"{name} was not read", moves, policy.work_s) for name, moves in signs.reading.items()]
        self._since = {name: self._moved(name, value, now) for name, value, _ in watched}
        return next(
            (f"{name} for {now - self._since[name][1]:.0f} s" for name, _, limit in watched
             if now - self._since[name][1] > limit),
            None,
        )  # fmt: skip

    def _moved(self, name: str, value: object, now: float) -> tuple[object, float]:
        before = self._since.get(name)
        return before if before is not None and before[0] == value else (value, now)
