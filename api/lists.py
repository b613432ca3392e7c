"""Lists of v2: limit, cursor, sort and fields, read the same way everywhere, and the page they give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, defstruct
from starlette.requests import Request
from starlette.responses import Response

from api.cursors import Cursors, digest_of
from api.problems import JsonResponse
from api.queries import QueryReader
from api.routes import Parameter
from streams.core.paging import Place, Sort

DEFAULT_LIMIT = 100
MOST = 1000
LONGEST_FIELDS = 1000

LIMIT = Parameter("limit", "Rows on a page.", Annotated[int, Meta(ge=1, le=MOST)], example=DEFAULT_LIMIT)
LONGEST_CURSOR = 4096
CURSOR = Parameter(
    "cursor",
    "`next` of the page before, with the same query.",
    Annotated[str, Meta(min_length=1, max_length=LONGEST_CURSOR)],
)

_NO_PART_OF_THE_QUERY = frozenset({"cursor", "limit", "fields"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one list may be asked for. Raises ValueError when the default is no order of its own."""

    item: type[Struct]
    sorts: Mapping[str, str]
    """The allow-list: names as callers write them, and their columns."""
    default: str
    """One of them, with `-` in front for descending."""
    filters: tuple[Parameter, ...] = ()
    answer: Any = field(init=False)
    """The type of a page."""

    def __post_init__(self) -> None:
        if self.default.removeprefix("-") not in self.sorts:
            raise ValueError(f"{self.default} is no order of this list")
        object.__setattr__(self, "answer", _page_of(self.item))

    @property
    def orders(self) -> tuple[str, ...]:
        return tuple(sign + name for name in self.sorts for sign in ("", "-"))

    @property
    def query(self) -> tuple[Parameter, ...]:
        """For the `query` of the route."""
        sort = Parameter("sort", "Order; `-` is descending.", Literal[self.orders], example=self.default)
        names = self.item.__struct_fields__
        any_name = f"({'|'.join(names)})"
        some = Annotated[str, Meta(pattern=f"^{any_name}(,{any_name}){{0,{len(names) - 1}}}$")]
        fields = Parameter("fields", "Only these members, with commas between.", some, example=",".join(names[:2]))
        return (*self.filters, LIMIT, CURSOR, sort, fields)


@cache  # one type for all lists of these items
def _page_of(item: type[Struct]) -> type[Struct]:
    """The type of a page, whose items may lack members that nobody asked for."""
    parts = [(one.name, one.type | msgspec.UnsetType, msgspec.UNSET) for one in msgspec.structs.fields(item)]
    part = defstruct(f"{item.__name__}Part", parts, kw_only=True, module=item.__module__)
    return defstruct(f"{item.__name__}Page", [("items", list[part]), ("next", str | None)], module=item.__module__)  # type: ignore[valid-type]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page."""

    limit: int
    after: Place | None
    sort: Sort
    fields: tuple[str, ...] | None
    digest: bytes


def asked(request: Request, reader: QueryReader, listing: Listing, cursors: Cursors) -> Asked:
    """What is asked beside the filters, which the reader has read before. Raises Problem: 422, then 400 (cursor)."""
    limit = reader.whole("limit", DEFAULT_LIMIT, high=MOST)
    cursor = reader.text("cursor", longest=LONGEST_CURSOR)
    order = reader.choice("sort", listing.orders) or listing.default
    fields = _fields(reader, listing)
    reader.finish()
    digest = digest_of(request.url.path, _query(request))
    after = cursors.open(cursor, digest) if cursor is not None else None
    sort = Sort(listing.sorts[order.removeprefix("-")], descending=order.startswith("-"))
    return Asked(limit, after, sort, fields, digest)


def answer(asked: Asked, items: Iterable[Struct], place: Place | None, cursors: Cursors) -> Response:
    """The page."""
    shown: Iterable[Any] = items
    if asked.fields is not None:
        shown = ({name: getattr(item, name) for name in asked.fields or ()} for item in items)
    return answer_rows(asked, shown, place, cursors)


def answer_rows(asked: Asked, rows: Iterable[Any], place: Place | None, cursors: Cursors) -> Response:
    """The page of items that have only the members asked for already."""
    cursor = cursors.seal(asked.digest, place) if place is not None else None
    return JsonResponse({"items": list(rows), "next": cursor})


def _fields(reader: QueryReader, listing: Listing) -> tuple[str, ...] | None:
    text = reader.text("fields", longest=LONGEST_FIELDS)
    if text is None:
        return None
    names = tuple(dict.fromkeys(text.split(",")))
    known = listing.item.__struct_fields__
    if unknown := [name for name in names if name not in known]:
        shown = ", ".join(unknown[:5])
        reader.refuse(f"fields: {shown[:100]!r} is none of {', '.join(known)}", "fields")
        return None
    return names


def _query(request: Request) -> list[tuple[str, object]]:
    return sorted(pair for pair in request.query_params.multi_items() if pair[0] not in _NO_PART_OF_THE_QUERY)
