"""Components: every macro of the pages, once, for who writes pages."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.console.charts import Band, Chart
from api.console.listing import ListPage
from api.console.rendering import Pages
from api.problems import Fault, Invalid
from api.routes import ApiRoute
from schemas.scopes import Scope

_AT = "2026-03-01T12:00:00Z"
_USED = {"shadowed_by": None, "last_hit_at": _AT, "counts_all": True}
USAGES = (
    _USED,
    _USED | {"counts_all": False},
    _USED | {"last_hit_at": None},
    _USED | {"last_hit_at": None, "counts_all": False},
    _USED | {"shadowed_by": 1},
)
FACTS = {
    "text": "<b>text</b> \u202e\x1b", "nothing": None, "created_at": _AT, "rule_id": 1,
    "event_id": "mutt.ingest.raw:0:1", "bytes": {"hex": "ff00"}, "list": ["a", "b"],
}  # fmt: skip
LINE = "0,70 150,20 300,60 450,10 600,40"


class Components:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(
            method="GET", path="/ui/components", endpoint=self.show, scope=Scope.EVENTS_READ, summary="Components"
        )
        return (get,)

    async def show(self, request: Request) -> Response:
        here = request.scope["path"]
        return self._pages.page(
            request,
            "components.html",
            page=ListPage((), {"q": "text", "cursor": "x"}, f"{here}?cursor=y", here, here, None),
            problem=Invalid([Fault("must be less than 8", pointer="/wheels", position=3)]),
            usages=USAGES,
            facts=FACTS,
            drawn=Chart(
                [LINE], 2.0, 40.0, [Band("maintenance", 60, 90, "maintenance"), Band("firing", 300, 60, "page")]
            ),
        )
