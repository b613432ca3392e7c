"""The system: what is in order and what is not; and maintenance, which objectives leave out."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import maintenance, system
from api.console.forms import whole
from api.console.inside import Inside
from api.console.rendering import SAFE, Pages
from api.preconditions import etag
from api.problem_types import ProblemType
from api.problems import Problem, problem_of
from api.routes import ApiRoute
from schemas.errors import Refused
from schemas.scopes import Scope
from schemas.slo import Component

UI = "/ui/maintenance"
SHOWN = (ProblemType.VALIDATION, ProblemType.CONFLICT, ProblemType.STALE, ProblemType.NOT_FOUND)


class SystemPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.CONFIG_READ, Scope.CONFIG_WRITE
        return (
            ApiRoute(method="GET", path="/ui/system", endpoint=self.system, scope=read, summary="The system"),
            ApiRoute(method="GET", path=UI, endpoint=self.windows, scope=read, summary="Maintenance"),
            ApiRoute(method="POST", path=UI, endpoint=self.change, scope=write, summary="Declare it, or end it"),
        )

    async def system(self, request: Request) -> Response:
        return self._pages.page(request, "system.html", it=await self._inside.get(request, system.PATH))

    async def windows(self, request: Request) -> Response:
        return await self._page(request, {})

    async def change(self, request: Request) -> Response:
        form = request.state.form
        try:
            if form.get("do") == "end":
                headers = {"If-Match": etag(whole(form, "version"))}
                await self._inside.ask(request, "DELETE", f"{maintenance.PATH}/{whole(form, 'id')}", headers=headers)
            else:
                names = ("component", "starts_at", "ends_at", "reason")
                body = {name: form.get(name, "").strip() or None for name in names}
                await self._inside.ask(request, "POST", maintenance.PATH, body=body)
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type not in SHOWN:
                raise
            return await self._page(request, form, problem=problem)
        return RedirectResponse(UI, 303, headers=SAFE)

    async def _page(self, request: Request, form: Mapping[str, str], *, problem: Problem | None = None) -> Response:
        found = await self._inside.get(request, maintenance.PATH)
        return self._pages.page(
            request, "maintenance.html", status=problem.type.status if problem else 200, windows=found["items"],
            form=form, problem=problem, components=["", *Component],
        )  # fmt: skip
