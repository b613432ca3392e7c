"""Pages of long lists: an order, a place in it, and what lies between two places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Place = Sequence[str | int]
"""Where a page ended: the values it is sorted by, of its last row. JSON can hold it."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Sort:
    """An order: by a column, equal values by the key of the row, both in one direction."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A stretch of a list, and the place behind it where there is more."""

    items: tuple[Item, ...]
    next: Place | None = None


@dataclass(frozen=True, slots=True)
class NumberedPage(Generic[Item]):
    """One of the numbered pages of v1, and how many rows there are in all."""

    items: tuple[Item, ...]
    total: int
    estimated: bool = False
