"""Who goes next: the most severe across hosts, each host in order, nothing lost and nothing twice."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streams.core.lineup import Lineup


def lineup_of(*waiting: tuple[str, int, str]) -> Lineup[str]:
    lineup: Lineup[str] = Lineup()
    for host, severity, name in waiting:
        lineup.add(host, severity, name)
    return lineup


def all_picked(lineup: Lineup[str], now: float = 0.0) -> list[str]:
    """Everything that may go; names begin with their host."""
    picked = []
    while lineup.first(now) is not None:
        picked.append(lineup.pick(now))
        lineup.done(picked[-1][:2])
    return picked


@pytest.mark.parametrize(
    ("waiting", "picked"),
    [
        ([], []),
        ([("h1", 1, "h1 a"), ("h2", 5, "h2 a"), ("h3", 3, "h3 a")], ["h2 a", "h3 a", "h1 a"]),
        ([("h1", 3, "h1 a"), ("h2", 3, "h2 a"), ("h1", 3, "h1 b")], ["h1 a", "h2 a", "h1 b"]),
        ([("h1", 1, "h1 a"), ("h1", 5, "h1 b"), ("h2", 3, "h2 a")], ["h2 a", "h1 a", "h1 b"]),
        ([("h1", 5, "h1 a"), ("h1", 1, "h1 b"), ("h2", 3, "h2 a"), ("h1", 5, "h1 c")],
         ["h1 a", "h2 a", "h1 b", "h1 c"]),
    ],
)  # fmt: skip
def test_the_most_severe_first_and_each_host_in_order(waiting: list[tuple[str, int, str]], picked: list[str]) -> None:
    assert all_picked(lineup_of(*waiting)) == picked


def test_what_goes_again_rests_with_its_host_and_keeps_its_place() -> None:
    lineup = lineup_of(("h1", 5, "h1 a"), ("h1", 5, "h1 b"), ("h2", 1, "h2 a"))
    assert lineup.pick(0.0) == "h1 a"
    lineup.again("h1", at=10.0)
    assert lineup.next_at() == 10.0
    assert all_picked(lineup, 9.9) == ["h2 a"]
    assert all_picked(lineup, 10.0) == ["h1 a", "h1 b"]
    assert lineup.next_at() is None


def test_nothing_of_a_host_goes_while_one_is_out() -> None:
    lineup = lineup_of(("h1", 1, "h1 a"))
    lineup.pick(0.0)
    lineup.add("h1", 5, "h1 b")
    assert lineup.first(0.0) is None
    lineup.done("h1")
    assert all_picked(lineup) == ["h1 b"]


def test_what_is_out_stays_out_when_all_that_waits_is_dropped() -> None:
    lineup = lineup_of(("h1", 1, "h1 a"), ("h1", 1, "h1 b"), ("h2", 0, "h2 a"))
    lineup.pick(0.0)
    assert sorted(lineup.clear()) == ["h1 b", "h2 a"]
    lineup.add("h1", 1, "h1 c")
    assert lineup.first(1e9) is None
    lineup.again("h1", at=5.0)
    assert all_picked(lineup, 5.0) == ["h1 a", "h1 c"]


class Deliveries(RuleBasedStateMachine):
    """Any order of steps, against a plain model: a list for each host."""

    @initialize()
    def begin(self) -> None:
        self.lineup: Lineup[tuple[str, int, int]] = Lineup()
        self.model: dict[str, list[tuple[str, int, int]]] = {f"h{n}": [] for n in range(4)}
        self.out: set[str] = set()
        self.rests: dict[str, float] = {}
        self.now, self.number = 0.0, 0

    def may_go(self) -> list[tuple[str, int, int]]:
        return [
            queue[0]
            for host, queue in self.model.items()
            if queue and host not in self.out and self.rests.get(host, 0.0) <= self.now
        ]

    @rule(host=st.sampled_from(["h0", "h1", "h2", "h3"]), severity=st.integers(0, 5))
    def add(self, host: str, severity: int) -> None:
        self.number += 1
        self.model[host].append((host, severity, self.number))
        self.lineup.add(host, severity, (host, severity, self.number))

    @precondition(lambda self: self.may_go())
    @rule()
    def pick(self) -> None:
        first = self.lineup.first(self.now)
        item = self.lineup.pick(self.now)
        assert item == first
        assert item == min(self.may_go(), key=lambda each: (-each[1], each[2]))
        self.out.add(item[0])
        self.rests.pop(item[0], None)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), delay=st.none() | st.floats(0, 10))
    def end(self, data: st.DataObject, delay: float | None) -> None:
        host = data.draw(st.sampled_from(sorted(self.out)))
        self.out.discard(host)
        if delay is None:
            self.model[host].pop(0)
            self.lineup.done(host)
        else:
            self.rests[host] = self.now + delay
            self.lineup.again(host, self.now + delay)

    @rule(seconds=st.floats(0, 10))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(odd=st.booleans())
    def sweep(self, odd: bool) -> None:
        self.lineup.first(self.now)  # wakes those whose time has come
        gone = []
        for host in [item[0] for item in self.may_go()]:
            while self.model[host] and self.model[host][0][2] % 2 == odd:
                gone.append(self.model[host].pop(0))
        assert sorted(self.lineup.sweep(lambda item: item[2] % 2 == odd)) == sorted(gone)

    @rule()
    def clear(self) -> None:
        kept = {host: queue[:1] if host in self.out else [] for host, queue in self.model.items()}
        dropped = [item for host, queue in self.model.items() for item in queue[len(kept[host]) :]]
        assert sorted(self.lineup.clear()) == sorted(dropped)
        self.model, self.rests = kept, {}

    @invariant()
    def agrees(self) -> None:
        assert (self.lineup.first(self.now) is not None) == bool(self.may_go())
        later = [at for host, at in self.rests.items() if at > self.now and self.model[host]]
        assert self.lineup.next_at() == (min(later) if later else None)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=60)
