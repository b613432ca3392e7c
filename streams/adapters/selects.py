"""SELECTs with filters, an order and pages: what comes from outside is always a parameter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from streams.adapters.places import place_of, values_at
from streams.core.paging import Place, Sort
from streams.core.reads import EXACT_TOTAL


class Select:
    """One SELECT while it is put together. Columns, source and terms are ours, fixed texts."""

    def __init__(self, columns: str, source: str) -> None:
        self._columns = columns
        self._source = source
        self._terms: list[str] = []
        self._values: list[Any] = []

    def where(self, term: str, value: Any) -> None:
        """A term with `{}` where its value belongs, however often; None as a value means: not asked for."""
        if value is not None:
            self._values.append(value)
            self._terms.append(term.replace("{}", f"${len(self._values)}"))

    def require(self, term: str) -> None:
        """A term without a value."""
        self._terms.append(term)

    async def page(
        self, connection: Any, sort: Sort, key: str, *, after: Place | None, limit: int
    ) -> tuple[list[Any], Place | None]:
        """The rows behind a place in the order, and the place behind them where there is more."""
        columns = list(dict.fromkeys((sort.column, key)))
        if after is not None:
            marks = ", ".join(f"${len(self._values) + number}" for number, _ in enumerate(columns, 1))
            self._terms.append(f"({', '.join(columns)}) {'<' if sort.descending else '>'} ({marks})")
            self._values += values_at(after, columns)
        direction = " DESC" if sort.descending else ""
        order = ", ".join(column + direction for column in columns)
        rows = list(await connection.fetch(f"{self._text()} ORDER BY {order} LIMIT {limit + 1}", *self._values))
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], place_of(last[column] for column in columns)

    async def numbered(self, connection: Any, order: str, *, limit: int, offset: int) -> list[Any]:
        """The rows of a numbered page."""
        text = f"{self._text()} ORDER BY {order} LIMIT {limit} OFFSET {offset}"
        return list(await connection.fetch(text, *self._values))

    async def total(self, connection: Any) -> tuple[int, bool]:
        """How many rows there are, and whether that is the planner's estimate."""
        return await total_of(connection, self._text("1"), self._values)

    def _text(self, columns: str | None = None) -> str:
        where = " AND ".join(self._terms) or "true"
        return f"SELECT {columns or self._columns} FROM {self._source} WHERE {where}"  # noqa: S608 (fixed texts)


async def total_of(connection: Any, every: str, values: Sequence[Any]) -> tuple[int, bool]:
    """How many rows a SELECT has, and whether that is the planner's estimate: counting all of very many is slow."""
    bounded = f"SELECT count(*) FROM ({every} LIMIT {EXACT_TOTAL + 1}) counted"  # noqa: S608 - constants
    counted: int = await connection.fetchval(bounded, *values)
    if counted <= EXACT_TOTAL:
        return counted, False
    plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {every}", *values))
    return max(counted, int(plan[0]["Plan"]["Plan Rows"])), True


def containing(text: str) -> str:
    """The LIKE pattern of all that holds this text: nothing in it is a wildcard."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
