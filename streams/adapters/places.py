"""Places in a list as JSON holds them, and as PostgreSQL wants them back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from streams.core.paging import Place


def place_of(values: Iterable[Any]) -> Place:
    """Where a row stands that has these values in the columns of its order."""
    return [_to_json(value) for value in values]


def values_at(place: Place, columns: Sequence[str]) -> list[Any]:
    """What the columns of the order held there."""
    return [_from_json(value, column) for value, column in zip(place, columns, strict=True)]


def _to_json(value: Any) -> str | int:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value if isinstance(value, int) else str(value)


def _from_json(value: str | int, column: str) -> Any:
    return dt.datetime.fromisoformat(str(value)) if column.endswith(("_at", "_time")) else value
