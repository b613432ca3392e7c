"""Figures of several rounds as one answer: medians, spreads, goals and whether they are reached."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from tests.bench.goals import BY_KEY, Goal

Round = Mapping[str, float]
Figures = dict[str, Any]


def medians(rounds: Sequence[Round]) -> Figures:
    """The median of each figure, and under `spread` its least and largest where there was more than one round."""
    names = dict.fromkeys(name for each in rounds for name in each)
    values = {name: [each[name] for each in rounds if name in each] for name in names}
    figures: Figures = {name: _short(median(found)) for name, found in values.items()}
    spread = {name: [_short(min(found)), _short(max(found))] for name, found in values.items() if len(found) > 1}
    return figures | {"spread": spread}


def merged(parts: Sequence[Figures]) -> Figures:
    """Figures of several parts as one; their spreads stay under `spread`."""
    spread: dict[str, Any] = {}
    figures: Figures = {}
    for part in parts:
        spread |= part.get("spread", {})
        figures |= part
    return figures | {"spread": spread}


def judged(figures: Mapping[str, Any], goals: Mapping[str, Goal] | None = None) -> dict[str, dict[str, Any]]:
    """For each figure that has a goal: value, spread, goal, and whether it is reached."""
    known = BY_KEY if goals is None else goals
    answer = {}
    for key, goal in known.items():
        if key in figures:
            value = figures[key]
            reached = value is not None and goal.reached(value)
            answer[key] = {"value": value, "goal": goal.shown, "reached": reached}
            if key in figures.get("spread", {}):
                answer[key]["spread"] = figures["spread"][key]
    return answer


def p99(values: Iterable[float], digits: int = 1) -> float:
    """The nearest rank below; of fewer than a hundred values it is the largest."""
    ordered = sorted(values)
    return round(ordered[len(ordered) * 99 // 100], digits)


def say(line: str) -> None:
    """How it goes, beside the answer."""
    print(line, file=sys.stderr, flush=True)


def _short(value: float) -> float:
    """Three digits behind the point where the value is small, none where it is large."""
    return round(value, 3) if abs(value) < 100 else round(value)
