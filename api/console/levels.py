"""Service levels: every objective, how fast its budget burns, and how it burned in the last day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.console.inside import Inside
from api.console.rendering import Pages
from api.routes import ApiRoute
from schemas.scopes import Scope

HOURS = "24"
WIDE, HIGH = 600, 80
LOWEST_TOP = 2.0
"""Burn rate at the top of a chart in which nothing burns faster: twice what the budget stands."""


class LevelPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        get = ApiRoute(method="GET", path="/ui/slo", endpoint=self.show, scope=Scope.EVENTS_READ, summary="Levels")
        return (get,)

    async def show(self, request: Request) -> Response:
        found = await self._inside.get(request, "/api/v2/slo")
        charts = {}
        for one in found["items"]:
            path = f"/api/v2/slo/{one['name']}/burn"
            series = await self._inside.get(request, path, {"hours": HOURS})
            charts[one["name"]] = chart(series["points"])
        return self._pages.page(request, "slo.html", it=found, charts=charts, wide=WIDE, high=HIGH)


def chart(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The burn rates as lines of a picture, WIDE by HIGH; where there was no traffic there is no line."""
    top = max([LOWEST_TOP, *(one["burn_rate"] or 0.0 for one in points)])
    step = WIDE / max(1, len(points) - 1)
    lines: list[list[str]] = [[]]
    for number, one in enumerate(points):
        if one["burn_rate"] is None:
            lines.append([])
        else:
            lines[-1].append(f"{number * step:.1f},{HIGH - HIGH * one['burn_rate'] / top:.1f}")
    return {"lines": [" ".join(_drawn(line)) for line in lines if line], "top": top, "one": HIGH - HIGH / top}


def _drawn(line: list[str]) -> list[str]:
    """A single point would not be seen."""
    if len(line) > 1:
        return line
    x, y = line[0].split(",")
    return [line[0], f"{float(x) + 2:.1f},{y}"]
