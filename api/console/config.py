"""Configuration: every key with what it may be, a change of it with its reason, and the audit of all changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import config, config_audit
from api.console.differences import differences
from api.console.forms import whole
from api.console.inside import Inside
from api.console.listing import list_page
from api.console.rendering import SAFE, Pages
from api.preconditions import etag
from api.problem_types import ProblemType
from api.problems import Problem, problem_of
from api.routes import ApiRoute
from schemas.errors import Refused
from schemas.scopes import Scope

UI = "/ui/config"
CHANGES = "/ui/changes"
SHOWN = (ProblemType.VALIDATION, ProblemType.CONFLICT, ProblemType.STALE)
"""What is told beside the form, with the key as it is now."""


class ConfigPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write, audit = Scope.CONFIG_READ, Scope.CONFIG_WRITE, Scope.AUDIT_READ
        one = UI + "/{key}"
        return (
            ApiRoute(method="GET", path=UI, endpoint=self.list, scope=read, summary="The configuration"),
            ApiRoute(method="GET", path=one, endpoint=self.show, scope=read, summary="One key"),
            ApiRoute(method="POST", path=one, endpoint=self.change, scope=write, summary="Another value for it"),
            ApiRoute(method="GET", path=CHANGES, endpoint=self.changes, scope=audit, summary="Who changed what"),
            ApiRoute(method="GET", path=CHANGES + "/{id:int}", endpoint=self.one, scope=audit, summary="One change"),
        )

    async def list(self, request: Request) -> Response:
        found = await self._inside.get(request, config.PATH)
        return self._pages.page(request, "config.html", keys=found["items"])

    async def show(self, request: Request) -> Response:
        return await self._key(request, saved="saved" in request.query_params)

    async def change(self, request: Request) -> Response:
        form = request.state.form
        headers = {"If-Match": etag(whole(form, "version"))}
        reason = form.get("reason", "").strip()
        path = _api_path(request)
        try:
            if form.get("do") == "reset":
                query = {"reason": reason} if reason else {}
                await self._inside.ask(request, "DELETE", path, query=query, headers=headers)
            else:
                body = {"value": _value(form.get("value", ""), form.get("type", ""))}
                body |= {"reason": reason} if reason else {}
                await self._inside.ask(request, "PUT", path, body=body, headers=headers)
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type not in SHOWN:
                raise
            return await self._key(request, problem=problem, wanted=form.get("value"), status=problem.type.status)
        return RedirectResponse(f"{UI}/{request.path_params['key']}?saved=1", 303, headers=SAFE)

    async def changes(self, request: Request) -> Response:
        page = await list_page(self._inside, request, config_audit.PATH, config_audit.FILTERS)
        return self._pages.page(request, "changes.html", page=page, link=_link)

    async def one(self, request: Request) -> Response:
        found = await self._inside.get(request, f"{config_audit.PATH}/{request.path_params['id']}")
        rows = differences(found["before"], found["after"])
        return self._pages.page(request, "change.html", it=found, rows=rows, link=_link(found))

    async def _key(
        self,
        request: Request,
        *,
        problem: Problem | None = None,
        wanted: str | None = None,
        saved: bool = False,
        status: int = 200,
    ) -> Response:
        path = _api_path(request)
        key = await self._inside.get(request, path)
        history = (await self._inside.get(request, path + "/history", {"limit": "50"}))["items"]
        shown = _text(key["value"]) if wanted is None else wanted
        return self._pages.page(
            request,
            "config_key.html",
            status=status,
            it=key,
            history=history,
            problem=problem,
            wanted=shown,
            saved=saved,
        )


def _api_path(request: Request) -> str:
    return f"{config.PATH}/{request.path_params['key']}"


def _value(text: str, kind: str) -> Any:
    """As JSON of the key's type; what is none stays text, so that the API says what is wrong."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    try:
        return int(text) if kind == "integer" else float(text) if kind == "number" else text
    except ValueError:
        return text


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _link(change: Mapping[str, Any]) -> str | None:
    """Where the changed thing is shown."""
    places = {"alert_rules": "/ui/rules/", "dynamic_config": "/ui/config/"}
    place = places.get(change["table"])
    return place + change["object"] if place else None
