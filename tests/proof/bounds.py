"""What never happened, out of how many: "0 of n" with the rule-of-three bound 3/n at 95 % confidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.proof.figures import Run

ZEROS: Mapping[str, Iterable[tuple[str, str, str]]] = {}
"""By run: what is counted, where its count stands in the figures, and where the number of trials stands."""


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
        Bound(what, int(_at(run.figures, trials)))
        for what, count, trials in ZEROS.get(run.name, ())
        if _at(run.figures, count) == 0 and _at(run.figures, trials)
    ]


def _at(figures: Any, path: str) -> Any:
    """A value by its dotted name, a list by its length; None where it is not there."""
    for part in path.split("."):
        figures = figures.get(part) if isinstance(figures, Mapping) else None
    return len(figures) if isinstance(figures, list) else figures
