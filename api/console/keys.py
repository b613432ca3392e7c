"""Keys: who may do what over the API: made, rotated and revoked; a secret is shown once."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import keys
from api.console.inside import Inside
from api.console.listing import list_page
from api.console.rendering import Pages
from api.idempotency import NAME as IDEMPOTENCY_KEY
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, Problem, problem_of
from api.routes import ApiRoute
from schemas.errors import Refused
from schemas.scopes import Scope

UI = "/ui/keys"
SHOWN = (ProblemType.VALIDATION, ProblemType.CONFLICT, ProblemType.FORBIDDEN, ProblemType.NOT_FOUND)
CHECKED = "scope-"
"""Fields of the form that are scopes begin so."""


class KeyPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        admin = Scope.KEYS_ADMIN
        return (
            ApiRoute(method="GET", path=UI, endpoint=self.list, scope=admin, summary="API keys"),
            ApiRoute(method="POST", path=UI, endpoint=self.change, scope=admin, summary="Make, rotate or revoke one"),
        )

    async def list(self, request: Request) -> Response:
        return await self._page(request, {})

    async def change(self, request: Request) -> Response:
        form = request.state.form
        try:
            answer = await self._done(request, form)
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type not in SHOWN:
                raise
            return await self._page(request, form, problem=problem)
        return await self._page(request, {}, done=answer, did=form.get("do", ""))

    async def _done(self, request: Request, form: Mapping[str, str]) -> Mapping[str, Any]:
        why = {"reason": form["why"].strip()} if form.get("why", "").strip() else {}
        if form.get("do") == "revoke":
            _check_typed(form)
            path, body = f"{keys.PATH}/{form.get('id', '')}/revoke", {}
        elif form.get("do") == "rotate":
            path, body = keys.PATH + "/rotate", _rotation(form)
        else:
            path, body = keys.PATH, _new(form)
        headers = {IDEMPOTENCY_KEY: form["once"]} if form.get("once") else {}
        found = await self._inside.ask(request, "POST", path, body=body | why, headers=headers)
        return dict(found.body)

    async def _page(
        self,
        request: Request,
        form: Mapping[str, str],
        *,
        problem: Problem | None = None,
        done: Mapping[str, Any] | None = None,
        did: str = "",
    ) -> Response:
        page = await list_page(self._inside, request, keys.PATH, keys.KEYS.filters)
        scopes = [one.value for one in Scope if one in request.state.client.scopes]
        status = problem.type.status if problem else 200
        return self._pages.page(
            request, "keys.html", status=status, page=page, form=form, problem=problem, done=done, did=did,
            scopes=scopes, checked=CHECKED, once=token_hex(16),
        )  # fmt: skip


def _new(form: Mapping[str, str]) -> dict[str, Any]:
    chosen = [name.removeprefix(CHECKED) for name in form if name.startswith(CHECKED)]
    body: dict[str, Any] = {"client": form.get("client", "").strip(), "scopes": chosen, "name": form.get("name", "")}
    expires = form.get("expires_at", "").strip()
    return body | ({"expires_at": expires} if expires else {})


def _rotation(form: Mapping[str, str]) -> dict[str, Any]:
    """What is no number stays as it is, so that the API says so."""
    grace = form.get("grace_seconds", "").strip()
    given: dict[str, Any] = {"grace_seconds": int(grace) if grace.isdecimal() else grace} if grace else {}
    return {"client": form.get("client", "")} | given


def _check_typed(form: Mapping[str, str]) -> None:
    """Raises Invalid: nothing that cannot be taken back is done by one click."""
    if not form.get("client") or form.get("typed", "").strip() != form["client"]:
        raise Invalid([Fault("type the name of the client to revoke its key")])
