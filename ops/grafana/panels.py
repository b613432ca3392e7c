"""What a dashboard is made of, as plain values: a panel is a title, a unit and its queries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

WIDTH = 24
"""Columns of Grafana's grid."""


class Unit(StrEnum):
    """Grafana's names of the units that our metrics have."""

    COUNT = "short"
    PER_SECOND = "eps"
    SECONDS = "s"
    BYTES = "bytes"
    RATIO = "percentunit"
    TIMES = "suffix:x"
    """How many times as fast as the objective allows."""


class Shape(StrEnum):
    """How a panel shows what its queries return."""

    LINES = "timeseries"
    NUMBER = "stat"
    STATES = "state-timeline"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression, without the variables that narrow it, and what its lines are called."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One question of PromQL. `states` names the values of a gauge; red begins at `red_from`, or below `red_below`."""

    title: str
    unit: Unit
    queries: tuple[Query, ...]
    about: str = ""
    shape: Shape = Shape.LINES
    width: int = 8
    states: type[IntEnum] | None = None
    red_from: float | None = None
    red_below: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One question of SQL; `units` of columns that are no plain count or text."""

    title: str
    sql: str
    about: str = ""
    units: tuple[tuple[str, Unit], ...] = ()
    width: int = 12


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel | Table, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. Its uid is part of every link to it and never changes."""

    uid: str
    title: str
    question: str
    rows: tuple[Row, ...]
    by_component: bool = True
    """False where a component's own view would be half of a ratio."""
    by_topic: bool = False


def lines(title: str, unit: Unit, *queries: Query, about: str = "", width: int = 8) -> Panel:
    """Over time."""
    return Panel(title, unit, queries, about, width=width)


def number(
    title: str,
    unit: Unit,
    query: Query,
    *,
    about: str = "",
    red_from: float | None = None,
    red_below: float | None = None,
    width: int = 4,
) -> Panel:
    """As it is now."""
    return Panel(title, unit, (query,), about, Shape.NUMBER, width, red_from=red_from, red_below=red_below)


def states(title: str, names: type[IntEnum], query: Query, *, about: str = "", width: int = 8) -> Panel:
    """What a gauge was at, over time; the first state is green, the last red."""
    return Panel(title, Unit.COUNT, (query,), about, Shape.STATES, width, states=names)
