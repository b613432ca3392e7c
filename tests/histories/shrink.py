"""Takes steps out of a red history while it stays red by the same detector."""

from __future__ import annotations

from collections.abc import Sequence

from tests.histories import follow, plan
from tests.histories.steps import Plan


def only(made: Plan, kept: Sequence[int]) -> Plan:
    """The history with these of its steps."""
    steps = tuple(made.steps[number] for number in kept)
    return Plan(made.seed, made.matchers, made.forwarders, made.presses, made.variant, steps)


def shrunk(seed: int) -> list[int]:
    """The numbers of steps without which it would not be red: halves are tried first, single steps last."""
    made = plan(seed)
    kept = list(range(len(made.steps)))
    wanted = _detectors(made)
    size = max(1, len(kept) // 2)
    while True:
        at, before = 0, len(kept)
        while at < len(kept):
            fewer = kept[:at] + kept[at + size :]
            if wanted & _detectors(only(made, fewer)):
                kept = fewer
            else:
                at += size
        if size == 1 and len(kept) == before:
            return kept
        size = max(1, size // 2)


def _detectors(made: Plan) -> set[str]:
    return {anomaly.detector for anomaly in follow(made).anomalies}
