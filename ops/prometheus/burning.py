"""Recording rules and burn-rate alerts, from the objectives: Prometheus comes to what `mutt slo show` says.

Good and total are summed over each window, and never is a ratio averaged. A window without traffic has no burn rate.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from ops.prometheus.alerts import Alert, Severity
from schemas.slo import WINDOW, Objective, Objectives
from streams.core.slo import BURN_RULES, BurnRule, shown_duration, windows_of

Rule = dict[str, Any]

GOOD = "mutt:objective_good:increase"
TOTAL = "mutt:objective_total:increase"
BAD = "mutt:objective_bad:increase"
BUDGET = "mutt:objective_error_budget:ratio"
BURN = "mutt:objective_burn_rate:ratio"
"""Each with the labels objective, component and (but for the budget) window."""

FEWEST_BAD = 5
"""So many bad occurrences in the long window at least make a page; fewer are a ticket for the working day."""

_QUICK = dt.timedelta(hours=1)
_SLOW_EVERY = dt.timedelta(minutes=2)
"""Windows of more than an hour are summed up so often: they move slowly, and read much."""


def groups(objectives: Objectives, *, pace: float) -> list[dict[str, Any]]:
    """Rule groups. `pace` shortens every window: 60 makes an hour of a minute, for tests and demonstrations."""
    quick: list[Rule] = [_budget(each) for each in objectives.values()]
    slow: list[Rule] = []
    for objective in objectives.values():
        for window in windows_of(objective):
            (quick if window <= _QUICK else slow).extend(_sums(objective, window, pace))
    return [
        {"name": "mutt-objectives", "rules": [*quick, *_BURN_RULES]},
        {"name": "mutt-objectives-slow", "interval": span(max(_SLOW_EVERY / pace, _SECOND)), "rules": slow},
    ]


def alerts() -> Iterator[Alert]:
    """One for each burn rule; it fires once for each objective that burns."""
    for rule in BURN_RULES:
        yield Alert(
            name="MuttBudgetBurns",
            expr=_burning(rule),
            severity=Severity(rule.severity),
            summary="{{ $labels.objective }}: the error budget burns {{ $value | humanize }} times too fast",
            action=f"mutt slo show. More than {rule.above:g} times over {shown_duration(rule.long)} and still so.",
            anchor="an-error-budget-burns",
            labels={"window": shown_duration(rule.long)},
        )


def span(length: dt.timedelta) -> str:
    """A duration as Prometheus writes it."""
    seconds = length.total_seconds()
    if seconds % 60 == 0:
        return shown_duration(length)
    return f"{round(seconds)}s" if seconds.is_integer() else f"{round(seconds * 1000)}ms"


_SECOND = dt.timedelta(seconds=1)


def _budget(objective: Objective) -> Rule:
    return {"record": BUDGET, "expr": f"vector({round(1 - objective.target, 9):g})", "labels": _labels(objective)}


def _sums(objective: Objective, window: dt.timedelta, pace: float) -> Iterator[Rule]:
    labels = {**_labels(objective), "window": shown_duration(window)}
    length = span(window / pace)
    for record, query in ((GOOD, objective.good_query), (TOTAL, objective.total_query)):
        yield {"record": record, "expr": query.replace(WINDOW, length), "labels": labels}


def _burning(rule: BurnRule) -> str:
    long, short = (f'{{window="{shown_duration(length)}"}}' for length in (rule.long, rule.short))
    both = f"{BURN}{long} > {rule.above:g} and ignoring (window) {BURN}{short} > {rule.above:g}"
    enough = f" and {BAD}{long} >= {FEWEST_BAD}" if rule.severity == Severity.PAGE else ""
    return both + enough


_BURN_RULES: tuple[Rule, ...] = (
    # Extrapolated increases may be a hair apart, hence the floor.
    {"record": BAD, "expr": f"clamp_min({TOTAL} - ({GOOD} or 0 * {TOTAL}), 0)"},
    {"record": BURN, "expr": f"{BAD} / ({TOTAL} > 0) / on (objective) group_left () {BUDGET}"},
)


def _labels(objective: Objective) -> dict[str, str]:
    return {"objective": objective.name, "component": objective.component.value}
