"""Lists of v2: what may be asked of one, and what a page shows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import lists
from api.cursors import Cursors
from api.lists import Listing
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from schemas.scopes import Scope
from tests.api.window import NOW, window_of

PATH = "/api/v2/numbers"


class Number(Struct, frozen=True):
    id: int
    name: str


NUMBERS = Listing(item=Number, sorts={"id": "number"}, default="-id", filters=(Parameter("q", "Part of the name."),))


class Numbers:
    """A list that tells what it was asked, and always has more."""

    def __init__(self) -> None:
        self.asked: lists.Asked | None = None
        self.cursors = Cursors(lambda: (b"key",), lambda: NOW)

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(method="GET", path=PATH, endpoint=self.list, scope=Scope.RULES_READ, summary="Numbers",
                       query=NUMBERS.query, answer=NUMBERS.answer, errors=(400,))  # fmt: skip
        return (get,)

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        reader.text("q", longest=10)
        self.asked = lists.asked(request, reader, NUMBERS, self.cursors)
        return lists.answer(self.asked, [Number(1, "one")], [1], self.cursors)


def ask(query: str, numbers: Numbers | None = None) -> Any:
    return window_of([numbers or Numbers()]).get(f"{PATH}?{query}")


def test_a_page_leads_to_the_next_of_the_same_query() -> None:
    numbers = Numbers()
    cursor = ask("q=a&limit=5", numbers).json()["next"]
    assert ask(f"q=a&limit=7&fields=id&cursor={cursor}", numbers).status_code == 200
    assert numbers.asked is not None
    assert (numbers.asked.after, numbers.asked.limit, numbers.asked.sort.column) == ([1], 7, "number")
    for other in ("q=b", "q=a&sort=id", ""):
        assert ask(f"{other}&cursor={cursor}", numbers).json()["type"] == "/problems/cursor"


def test_only_the_members_that_are_asked_for() -> None:
    assert ask("").json()["items"] == [{"id": 1, "name": "one"}]
    assert ask("fields=name").json()["items"] == [{"name": "one"}]
    assert ask("fields=name,id,name").json()["items"] == [{"name": "one", "id": 1}]


@pytest.mark.parametrize(
    "query", ["fields=", "fields=x", "fields=id,", "sort=name", "sort=number", "sort=--id", "limit=0", "limit=1001"]
)
def test_Q1_Q4_what_no_list_knows(query: str) -> None:
    assert ask(query).status_code == 422


def test_a_default_order_is_one_of_the_list() -> None:
    with pytest.raises(ValueError, match="no order"):
        Listing(item=Number, sorts={"id": "id"}, default="name")
