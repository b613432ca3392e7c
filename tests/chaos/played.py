"""All that was seen of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.checker import Report
from tests.chaos.hit import Hit
from tests.chaos.plan import Plan


@dataclass
class Played:
    plan: Plan
    hits: list[Hit] = field(default_factory=list)
    repeats: int = 0
    problems: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    sent: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    missed: int = 0
    report: Report | None = None


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
