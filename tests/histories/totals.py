"""Many histories, added up."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import dataclass, field

from tests.histories import run


@dataclass
class Totals:
    """`red` are the seeds of histories in which something did not hold; `effects` counts faults that took effect."""

    histories: int = 0
    red: list[int] = field(default_factory=list)
    anomalies: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    looked_at: Counter[str] = field(default_factory=Counter)

    def add(self, other: Totals) -> None:
        self.histories += other.histories
        self.red += other.red
        self.anomalies += other.anomalies
        self.effects += other.effects
        self.looked_at += other.looked_at


def totals(first: int, count: int) -> Totals:
    """Plays the histories of these seeds one after the other."""
    found = Totals(histories=count)
    for seed in range(first, first + count):
        history = run(seed)
        if not history.ok:
            found.red.append(seed)
        found.anomalies.update({anomaly.detector for anomaly in history.anomalies})
        found.effects += history.effects
        found.looked_at += history.looked_at
    gc.collect()
    return found
