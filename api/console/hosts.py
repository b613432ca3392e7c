"""Hosts: those for development, the teams of all others, and what they say that no rule matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import dev_hosts, teams, unhandled
from api.console.forms import whole
from api.console.inside import Inside
from api.console.listing import list_page
from api.console.rendering import SAFE, Pages
from api.lists import Listing
from api.preconditions import etag
from api.problem_types import ProblemType
from api.problems import Problem, problem_of
from api.routes import ApiRoute
from schemas.errors import Refused
from schemas.scopes import Scope

SHOWN = (ProblemType.VALIDATION, ProblemType.CONFLICT, ProblemType.STALE, ProblemType.NOT_FOUND)
"""What is told beside the list, as it is now."""


@dataclass(frozen=True, slots=True)
class HostKind:
    """One list of hosts."""

    title: str
    means: str
    path: str
    """Of its page."""
    api: str
    listing: Listing
    has_team: bool = False


DEVELOPMENT = HostKind(
    "Development hosts", "On these, rules have their own handling.", "/ui/hosts", dev_hosts.V2, dev_hosts.HOSTS
)
TEAMS = HostKind(
    "Teams", "Whose a host is, where the rule names no team.", "/ui/teams", teams.V2, teams.TEAMS, has_team=True
)


class HostPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.RULES_READ, Scope.RULES_WRITE
        get = ApiRoute(
            method="GET", path="/ui/unhandled", endpoint=self.unhandled, scope=Scope.EVENTS_READ, summary="Unhandled"
        )
        return (
            ApiRoute(method="GET", path=DEVELOPMENT.path, endpoint=self.hosts, scope=read, summary="Development hosts"),
            ApiRoute(method="POST", path=DEVELOPMENT.path, endpoint=self.change_hosts, scope=write, summary="Change"),
            ApiRoute(method="GET", path=TEAMS.path, endpoint=self.teams, scope=read, summary="Teams of hosts"),
            ApiRoute(method="POST", path=TEAMS.path, endpoint=self.change_teams, scope=write, summary="Change them"),
            get,
        )

    async def hosts(self, request: Request) -> Response:
        return await self._list(request, DEVELOPMENT)

    async def change_hosts(self, request: Request) -> Response:
        return await self._change(request, DEVELOPMENT)

    async def teams(self, request: Request) -> Response:
        return await self._list(request, TEAMS)

    async def change_teams(self, request: Request) -> Response:
        return await self._change(request, TEAMS)

    async def unhandled(self, request: Request) -> Response:
        page = await list_page(self._inside, request, unhandled.PATH, unhandled.FILTERS)
        return self._pages.page(request, "unhandled.html", page=page)

    async def _list(
        self, request: Request, kind: HostKind, *, form: Mapping[str, str] | None = None, problem: Problem | None = None
    ) -> Response:
        page = await list_page(self._inside, request, kind.api, kind.listing.filters)
        status = problem.type.status if problem else 200
        return self._pages.page(
            request, "hosts.html", status=status, page=page, kind=kind, form=form or {}, problem=problem
        )

    async def _change(self, request: Request, kind: HostKind) -> Response:
        """Adds a host, gives it another team, or takes it away."""
        form = request.state.form
        try:
            await self._ask(request, kind, form)
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type not in SHOWN:
                raise
            return await self._list(request, kind, form=form if form.get("do") == "add" else {}, problem=problem)
        return RedirectResponse(kind.path, 303, headers=SAFE)

    async def _ask(self, request: Request, kind: HostKind, form: Mapping[str, str]) -> None:
        hostname, reason = form.get("hostname", "").strip(), form.get("reason", "").strip()
        why = {"reason": reason} if reason else {}
        team = {"team_assignment": form.get("team_assignment", "").strip()} if kind.has_team else {}
        if form.get("do") == "add":
            await self._inside.ask(request, "POST", kind.api, body={"hostname": hostname} | team | why)
            return
        one, headers = f"{kind.api}/{hostname}", {"If-Match": etag(whole(form, "version"))}
        if form.get("do") == "remove":
            await self._inside.ask(request, "DELETE", one, query=why, headers=headers)
        else:
            await self._inside.ask(request, "PUT", one, body=team | why, headers=headers)
