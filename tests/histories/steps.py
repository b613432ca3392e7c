"""What happens in one history: a list of steps, made from its seed. Dropping any of them leaves a history."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import Struct

from tests.histories.records import Sort


class Step(Struct, frozen=True):
    """One step, and how many seconds pass before the next. `give` are its own numbers and names."""

    do: str
    give: tuple[Any, ...] = ()
    wait: float = 0.0

    def __str__(self) -> str:
        return f"{self.do}{self.give} then {self.wait:g} s"


class Plan(Struct, frozen=True):
    """One history. `seed` also gives what is drawn while it runs: delays and jitter."""

    seed: int
    matchers: int
    forwarders: int
    presses: bool
    variant: int
    """Of configuration, to begin with."""
    steps: tuple[Step, ...]


CALLS = {
    "commit": ("fail", "lost", "late", "slow"),
    "progress": ("fail", "slow"),
    "signatures": ("fail",),
    "publish": ("fail", "lost", "late"),
    "publish_pending": ("fail", "lost"),
    "pending": ("fail",),
    "mark": ("fail", "lost"),
    "load": ("fail", "slow"),
    "settle": ("fail", "lost", "late", "slow"),
    "backlog": ("fail", "slow"),
    "broker": ("fail",),
}
ANSWERS = ("400", "422", "401", "429", "500", "503", "away", "deaf", "lost", "301")
WEIGHTS = {
    "produce": 10, "fault": 6, "answers": 3, "rebalance": 2, "crash": 3, "freeze": 2, "gap": 1, "retain": 1,
    "truncate": 0.4, "replace": 0.4, "config": 2, "clock": 1, "stop": 1, "pause": 1, "replay": 1.5,
}  # fmt: skip
CONFIGS = 5


def plan(seed: int) -> Plan:
    random = Random(seed)
    steps = [_step("produce", random) for _ in range(2)]
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    steps += [_step(name, random) for name in random.choices(names, weights, k=random.randint(4, 14))]
    return Plan(
        seed,
        matchers=random.choice((1, 2, 2, 3)),
        forwarders=random.choice((0, 0, 1, 1, 2)),
        presses=random.random() < 0.35,
        variant=random.randrange(CONFIGS),
        steps=tuple(steps),
    )


def _step(name: str, random: Random) -> Step:
    wait = random.choice((0.0, 0.0, 0.01, 0.05, 0.1, 0.3))
    return Step(name, _GIVE[name](random), wait)


def _records(random: Random) -> tuple[Any, ...]:
    sorts = list(Sort)
    return tuple(
        (
            random.choices(sorts, (8, 2, 1, 3, 2, 0.5, 0.5))[0].value,
            random.randrange(5),
            random.choice((None, *range(8))),
        )
        for _ in range(random.randint(1, 5))
    )


def _fault(random: Random) -> tuple[Any, ...]:
    name = random.choices(list(CALLS), (5, 1, 1, 3, 1, 1, 2, 1, 3, 1, 1))[0]
    return name, random.choice(CALLS[name]), random.choice((1, 1, 2))


def _answers(random: Random) -> tuple[Any, ...]:
    return tuple(random.choices(ANSWERS, k=random.randint(1, 4)))


def _role(random: Random) -> str:
    return random.choice(("match", "match", "forward"))


_GIVE: dict[str, Any] = {
    "produce": _records,
    "fault": _fault,
    "answers": _answers,
    "rebalance": lambda random: (_role(random),),
    "crash": lambda random: (_role(random), random.randrange(3), random.randrange(120)),
    "freeze": lambda random: (_role(random), random.randrange(3), random.choice((0.1, 0.6))),
    "gap": lambda random: (random.randrange(2), random.random()),
    "retain": lambda random: (random.randrange(2), random.random()),
    "truncate": lambda random: (random.randrange(2), random.random()),
    "replace": lambda random: (random.randrange(2),),
    "config": lambda random: (random.randrange(CONFIGS), random.randrange(2)),
    "clock": lambda random: (random.choice((-86400.0, -3600.0, -61.0, 61.0, 3600.0, 86400.0)),),
    "stop": lambda random: (random.choice(("match", "forward")), random.randrange(3)),
    "pause": lambda random: (random.choice((0.2, 0.5)),),
    "replay": lambda random: (random.choice(("shed", "delivery")),),
}  # fmt: skip
