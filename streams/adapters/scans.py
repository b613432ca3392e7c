"""Pages of tables that never end: rows in the order of an index, each page at a bounded cost, whatever is asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streams.adapters.places import place_of, values_at
from streams.core.paging import Place

LOOKED_AT = 4_000
"""Rows that one page looks at, at most, where a filter has no index of its own."""

_WALK = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off"
"""The planner takes what lies behind a place for few rows, and would rather sort all of them than walk an index."""

_TICK = dt.timedelta(microseconds=1)

Term = tuple[str, Any]
"""SQL with `{}` where its value belongs; the texts are ours."""
Branch = Sequence[Term]
"""Terms that an index answers together with the time."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A table in the order of a time; equal times by the rest of the key, both in one direction."""

    source: str
    time: str
    key: tuple[str, ...]
    before: tuple[str | int, ...]
    """Values that lie before every key."""

    async def page(
        self, connection: Any, asked: Asked, *, columns: Sequence[str], limit: int
    ) -> tuple[list[Any], Place | None]:
        """The rows behind a place, with the time, the key and these columns (SQL), and the place to go on from.

        Where `asked.rest` is not empty a page may hold fewer rows than `limit`, even none, and go on all the same.
        """
        await connection.execute(_WALK)
        edge = await self._edge(connection, asked) if asked.rest else None
        text, values = self._text(asked, ", ".join((self.time, *self.key, *columns)), edge, limit + 1)
        rows = list(await connection.fetch(text, *values))
        if len(rows) > limit:
            return rows[:limit], self._place(rows[limit - 1])
        if edge is None:
            return rows, None
        return rows, place_of((edge if asked.descending else edge + _TICK, *self.before))

    async def _edge(self, connection: Any, asked: Asked) -> dt.datetime | None:
        """The time of the last row this page may look at, None where fewer are left: read from the index alone."""
        numbered = _Numbered()
        terms = [self._time_term(asked, numbered)] if asked.after is not None else []
        branches = [
            f"(SELECT {self.time} AS at FROM {source} WHERE {numbered.all_of(branch, terms)}"  # noqa: S608 - ours
            f" ORDER BY {self.time}{asked.direction} LIMIT {LOOKED_AT})"
            for source in (self.source, *asked.beside)
            for branch in asked.branches
        ]
        text = f"SELECT at FROM ({' UNION ALL '.join(branches)}) walked ORDER BY at{asked.direction}"  # noqa: S608 - ours
        edge: dt.datetime | None = await connection.fetchval(f"{text} OFFSET {LOOKED_AT - 1} LIMIT 1", *numbered.values)
        return edge

    def _text(self, asked: Asked, columns: str, edge: dt.datetime | None, limit: int) -> tuple[str, list[Any]]:
        numbered = _Numbered()
        shared: list[str] = []
        if asked.after is not None:
            shared.append(self._time_term(asked, numbered))
            marks = ", ".join(numbered.mark(value) for value in values_at(asked.after, (self.time, *self.key)))
            shared.append(f"({', '.join((self.time, *self.key))}) {'<' if asked.descending else '>'} ({marks})")
        if edge is not None:
            shared.append(f"{self.time} {'>=' if asked.descending else '<='} {numbered.mark(edge)}")
        order = ", ".join(name + asked.direction for name in (self.time, *self.key))
        tail = f"ORDER BY {order} LIMIT {limit}"
        branches = [
            f"SELECT {columns} FROM {source} WHERE {numbered.all_of([*branch, *asked.rest], shared)} {tail}"  # noqa: S608 - ours
            for source in (self.source, *asked.beside)
            for branch in asked.branches
        ]
        if len(branches) == 1:
            return branches[0], numbered.values
        every = " UNION ALL ".join(f"({branch})" for branch in branches)
        return f"SELECT * FROM ({every}) merged {tail}", numbered.values  # noqa: S608 - ours

    def _time_term(self, asked: Asked, numbered: _Numbered) -> str:
        """What of the place an index on the time can use."""
        assert asked.after is not None
        behind_all = tuple(asked.after[1:]) == self.before  # then no row of this time is left, however many there are
        sign = ("<" if behind_all else "<=") if asked.descending else ">="
        return f"{self.time} {sign} {numbered.mark(values_at(asked.after[:1], (self.time,))[0])}"

    def _place(self, row: Any) -> Place:
        return place_of(row[_bare(name)] for name in (self.time, *self.key))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is of. A row belongs to one branch at most."""

    branches: Sequence[Branch]
    rest: Sequence[Term] = ()
    """What no index answers."""
    after: Place | None = None
    descending: bool = True
    beside: Sequence[str] = ()
    """Tables with the same columns and indexes whose rows are searched too; a row is in one of them at most."""

    @property
    def direction(self) -> str:
        return " DESC" if self.descending else ""


class _Numbered:
    """Values and their numbers in one statement."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def mark(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def all_of(self, terms: Sequence[Term], shared: Sequence[str]) -> str:
        return " AND ".join([*(term.replace("{}", self.mark(value)) for term, value in terms), *shared]) or "true"


def _bare(name: str) -> str:
    return name.strip('"')
