"""Lists of the console: the filters of a page's address, asked of the API, and where the next page is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from api.console.inside import Inside
from api.console.rendering import address
from api.problems import Problem
from api.routes import Parameter

ROWS = "50"
CURSOR = "cursor"


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list. Where a filter is wrong it has a problem and no rows."""

    rows: Sequence[Any]
    asked: Mapping[str, str]
    """Filters that are not empty, and the cursor."""
    next: str | None
    first: str
    bare: str
    """The address without any filter."""
    problem: Problem | None

    @property
    def narrowed(self) -> bool:
        return any(name != CURSOR for name in self.asked)


FILTERS_ARE_WRONG = (400, 422)


async def list_page(
    inside: Inside, request: Request, path: str, filters: Sequence[Parameter], also: Mapping[str, str] | None = None
) -> ListPage:
    """`path` is that of the API. An empty field of a form is no filter. Raises Problem for all but wrong filters."""
    given = asked_filters(request, filters)
    here = request.scope["path"]
    without = {name: value for name, value in given.items() if name != CURSOR}
    first = address(here, **without)
    query = {"limit": ROWS, **given, **(also or {})}
    try:
        found = await inside.get(request, path, query)
    except Problem as problem:
        if problem.type.status not in FILTERS_ARE_WRONG:
            raise
        return ListPage((), given, None, first, here, problem)
    following = address(here, **without, cursor=found["next"]) if found["next"] else None
    return ListPage(found["items"], given, following, first, here, None)


def asked_filters(request: Request, filters: Sequence[Parameter]) -> dict[str, str]:
    known = {CURSOR, *(one.name for one in filters)}
    return {name: value.strip() for name, value in request.query_params.items() if name in known and value.strip()}
