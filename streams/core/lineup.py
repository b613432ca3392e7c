"""Which alert is posted next: the most severe that may go, one of each host at a time, each host's in its order."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

_Place = tuple[int, int]
"""Severity negated, then the number in order of arrival: the least goes first."""


@dataclass(eq=False)
class _Host(Generic[Item]):
    """What waits for one host, in order, and the one that is out."""

    name: str
    queue: deque[tuple[_Place, Item]] = field(default_factory=deque)
    out: tuple[_Place, Item] | None = None

    @property
    def place(self) -> _Place:
        return self.queue[0][0]


class Lineup(Generic[Item]):
    """State of everything that waits. `now` is monotonic seconds; a larger severity is a worse one.

    A host is ready (its first alert may go), rests (it may go later), or has its first alert out: picked, and not
    yet followed by `done` or `again`.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, _Host[Item]] = {}
        self._ready: list[tuple[_Place, _Host[Item]]] = []
        self._resting: list[tuple[float, _Place, _Host[Item]]] = []
        self._number = 0

    def add(self, name: str, severity: int, item: Item) -> None:
        """The last of its host."""
        host = self._hosts.setdefault(name, _Host(name))
        self._number += 1
        host.queue.append(((-severity, self._number), item))
        if len(host.queue) == 1 and host.out is None:
            self._make_ready(host)

    def first(self, now: float) -> Item | None:
        """What `pick` would take; None where nothing may go."""
        self._wake(now)
        return self._ready[0][1].queue[0][1] if self._ready else None

    def next_at(self) -> float | None:
        """When the first of the hosts that rest is ready."""
        return self._resting[0][0] if self._resting else None

    def pick(self, now: float) -> Item:
        """The most severe of the first alerts of all hosts that are ready; of equals the one that came first.

        IndexError where none waits.
        """
        self._wake(now)
        _, host = heapq.heappop(self._ready)
        host.out = host.queue.popleft()
        return host.out[1]

    def done(self, name: str) -> None:
        """What was out is settled or given up: the host's next may go."""
        host = self._hosts[name]
        host.out = None
        if host.queue:
            self._make_ready(host)
        else:
            del self._hosts[name]

    def again(self, name: str, at: float) -> None:
        """What was out goes once more, not before `at`; the host's others wait behind it."""
        host = self._hosts[name]
        assert host.out is not None
        host.queue.appendleft(host.out)
        host.out = None
        heapq.heappush(self._resting, (at, host.place, host))

    def sweep(self, over: Callable[[Item], bool]) -> list[Item]:
        """Takes out what is over among the first alerts of ready hosts, and what then comes first, host by host."""
        swept: list[Item] = []
        ready, self._ready = self._ready, []
        for _, host in ready:
            while host.queue and over(host.queue[0][1]):
                swept.append(host.queue.popleft()[1])
            if host.queue:
                self._ready.append((host.place, host))
            else:
                del self._hosts[host.name]
        heapq.heapify(self._ready)
        return swept

    def clear(self) -> list[Item]:
        """Drops everything that is not out."""
        dropped = [item for host in self._hosts.values() for _, item in host.queue]
        for host in self._hosts.values():
            host.queue.clear()
        self._hosts = {name: host for name, host in self._hosts.items() if host.out is not None}
        self._ready.clear()
        self._resting.clear()
        return dropped

    def _make_ready(self, host: _Host[Item]) -> None:
        heapq.heappush(self._ready, (host.place, host))

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            self._make_ready(heapq.heappop(self._resting)[2])
