"""What never happened, out of how many: "0 of n" with the rule-of-three bound 3/n at 95 % confidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.proof.figures import Run

_CHAOS = (
    ("faults after which an invariant was broken", "anomalies", "faults"),
    ("acknowledged events lost", "anomalies.lost", "answers.ok"),
    ("events with two rows", "anomalies.twice", "counts.audit_rows"),
    ("posts that no committed row explains", "anomalies.ghost", "counts.posts"),
    ("committed alerts neither delivered nor dead", "anomalies.alert_lost", "counts.alerts"),
    ("batches of a replaced worker that were not refused", "late_batches.not_refused", "late_batches.came"),
    ("posts or rows out of their host's order", "anomalies.order", "counts.posts"),
    ("rows that the linear matcher decides otherwise", "anomalies.decision", "counts.audit_rows"),
)
ZEROS: Mapping[str, Iterable[tuple[str, str, str]]] = {
    "chaos": _CHAOS,
    "campaign": _CHAOS,
    "histories": (("histories in which an invariant was broken", "red", "histories"),),
    "crashes": (("crashes after which the books did not balance", "red", "crashes"),),
    "fuzz": (("inputs that crashed a parser", "crashes", "executions"),),
}
"""By run, without what follows a hyphen: what is counted, where its count stands, where the number of trials stands."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Nothing of it in so many trials."""

    what: str
    trials: int

    @property
    def row(self) -> tuple[str, str, str]:
        return self.what, f"0 of {self.trials:,}", f"1 in {self.trials / 3:,.0f}"


def bounds(run: Run) -> list[Bound]:
    """Of a run, for what did not happen at all; what did happen stands among its figures."""
    return [
        Bound(what, trials)
        for what, count, of in ZEROS.get(run.name.partition("-")[0], ())
        if _at(run.figures, count) == 0 and (trials := _at(run.figures, of))
    ]


def _at(figures: Mapping[str, Any], path: str) -> int:
    """A number by its dotted name; a list's length, the sum of what a mapping counts. What is not there is none."""
    found: Any = figures
    for part in path.split("."):
        found = found.get(part, 0) if isinstance(found, Mapping) else 0
    if isinstance(found, Mapping):
        return sum(found.values())
    return len(found) if isinstance(found, list) else int(found)
