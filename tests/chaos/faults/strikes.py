"""Each thing that a step can do, by its name in a plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from tests.chaos.faults import desk, duel, machine, process, wire
from tests.chaos.hit import Scene

STRIKES: Mapping[str, Callable[[Scene], Awaitable[None]]] = {
    "kill": process.kill,
    "term": process.term,
    "freeze": process.freeze,
    "duel": duel.duel,
    "cut": wire.wire,
    "reset": wire.wire,
    "half_close": wire.wire,
    "delay": wire.wire,
    "black_hole": wire.wire,
    "refuse": wire.wire,
    "trickle": wire.wire,
    "flip": wire.wire,
    "commit_cut": wire.commit_cut,
    "produce_cut": wire.produce_cut,
    "rules": desk.rules,
    "config": desk.config,
    "replay": desk.replay,
    "disk": machine.disk,
    "clock": machine.clock,
}
