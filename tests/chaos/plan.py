"""What a run does to the system, in order: made from a seed alone, written as JSON, read back and replayed. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from random import Random
from typing import Any

MATCHERS = ("match-1", "match-2", "match-3")
KILLED: Mapping[str, tuple[tuple[str, int], ...]] = {
    "worker": (*((name, 7) for name in MATCHERS), ("forward-1", 4), ("dead-letters-1", 2)),
    "postgres": (("postgres", 5),),
    "kafka": (("kafka", 4),),
    "receiver": (("receiver", 3),),
    "api": (("api", 2),),
}
"""What is killed for each target, with its share of all kills."""
TARGETS = tuple(KILLED)

_LINKS = ("kafka", "postgres", "receiver")
_WIRE: tuple[dict[str, Any], ...] = (
    *({"do": do, "target": link} for do in ("cut", "reset", "half_close") for link in (*_LINKS, "api")),
    *({"do": "delay", "target": link, "amount": 0.3, "seconds": 3.0} for link in _LINKS),
    *({"do": "black_hole", "target": link, "seconds": 4.0} for link in _LINKS),
    *({"do": "refuse", "target": link, "seconds": 3.0} for link in _LINKS),
    {"do": "trickle", "target": "kafka", "amount": 20_000.0, "seconds": 3.0},
    {"do": "trickle", "target": "postgres", "amount": 20_000.0, "seconds": 3.0},
    {"do": "trickle", "target": "receiver", "amount": 2_000.0, "seconds": 3.0},
    {"do": "flip", "target": "kafka"},
    {"do": "flip", "target": "receiver"},
)  # fmt: skip
"""Only where bytes are guarded, by a CRC or a signature, are bits flipped."""
_ONES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "freeze": tuple({"do": "freeze", "target": name} for name in MATCHERS),
    "term": tuple({"do": "term", "target": name} for name in (*MATCHERS, "forward-1")),
    "commit_cut": ({"do": "commit_cut", "target": "postgres", "times": 5},),
    "produce_cut": ({"do": "produce_cut", "target": "kafka", "times": 4},),
    "wire": _WIRE,
    "rules": ({"do": "rules", "target": "api"},),
    "config": ({"do": "config", "target": "api"},),
    "replay": ({"do": "replay", "target": "api"},),
    "disk": ({"do": "disk", "target": "postgres", "seconds": 3.0},),
    "clock": tuple({"do": "clock", "target": "match-3", "amount": a} for a in (3600.0, -3600.0, 86400.0, -86400.0)),
    "duel": tuple({"do": "duel", "target": name} for name in MATCHERS),
}
_A_KILL: Mapping[str, float] = {
    "freeze": 1 / 8, "term": 1 / 10, "commit_cut": 1 / 4, "produce_cut": 1 / 8, "wire": 1 / 4, "rules": 1 / 20,
    "config": 1 / 20, "replay": 1 / 20, "disk": 1 / 40, "clock": 1 / 20, "duel": 1 / 10,
}  # fmt: skip
"""Steps of each fault for each kill; one at least."""
FAULTS = tuple(_ONES)


@dataclass(frozen=True)
class Step:
    """One thing that is done. What `amount` is depends on `do`: seconds of delay, bytes a second, a clock's step."""

    number: int
    do: str
    target: str
    seconds: float = 0.0
    amount: float = 0.0
    times: int = 1

    @property
    def name(self) -> str:
        return f"{self.number}:{self.do}:{self.target}"


@dataclass(frozen=True)
class Plan:
    seed: int
    kills: int
    events: int
    targets: tuple[str, ...]
    faults: tuple[str, ...]
    steps: tuple[Step, ...] = field(repr=False)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Raises KeyError, TypeError or ValueError for what is no plan."""
        read = json.loads(text)
        steps = tuple(Step(**step) for step in read.pop("steps"))
        return cls(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in read.items()}
            | {"steps": steps}
        )

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]


def plan(
    seed: int,
    *,
    kills: int = 40,
    events: int = 20_000,
    targets: Sequence[str] = TARGETS,
    faults: Sequence[str] = FAULTS,
) -> Plan:
    """The same for the same arguments."""
    random = Random(seed)
    todo = [*_kills(kills, targets), *(step for fault in faults for step in _others(random, fault, kills))]
    random.shuffle(todo)
    steps = tuple(Step(number, **step) for number, step in enumerate(todo, start=1))
    return Plan(seed, kills, events, tuple(targets), tuple(faults), steps)


def _kills(kills: int, targets: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Dealt out by their shares, whoever is most behind its share first: none is forgotten among few."""
    shares = dict(part for target in targets for part in KILLED[target])
    given = dict.fromkeys(shares, 0)
    for _ in range(kills if shares else 0):
        name = min(shares, key=lambda name: (given[name] + 1) / shares[name])
        given[name] += 1
        yield {"do": "kill", "target": name}


def _others(random: Random, fault: str, kills: int) -> Iterator[dict[str, Any]]:
    choices = list(_ONES[fault])
    random.shuffle(choices)
    yield from islice(cycle(choices), max(1, round(kills * _A_KILL[fault])))
