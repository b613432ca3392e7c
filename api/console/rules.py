"""Rules: the list, one rule with its history, the editor with its dry run, and what happens when two edit at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.console.differences import differences
from api.console.forms import whole
from api.console.inside import Inside
from api.console.listing import list_page
from api.console.rendering import SAFE, Pages
from api.console.rule_forms import CHOICES, LAST, NEW, body_of, faults_of, fields_of, pointed, trial_of
from api.idempotency import NAME as IDEMPOTENCY_KEY
from api.preconditions import etag
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem, problem_of
from api.routes import ApiRoute
from api.rules import PATH, RULES
from schemas.errors import Refused
from schemas.scopes import Scope

UI = "/ui/rules"
ONE = UI + "/{id:int}"
VERSIONS = {"limit": "200"}


class RulePages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.RULES_READ, Scope.RULES_WRITE
        return (
            ApiRoute(method="GET", path=UI, endpoint=self.list, scope=read, summary="Rules"),
            ApiRoute(method="GET", path=UI + "/new", endpoint=self.new, scope=write, summary="A new rule"),
            ApiRoute(method="POST", path=UI + "/new", endpoint=self.send, scope=write, summary="Try it, or save it"),
            ApiRoute(method="POST", path=UI + "/check", endpoint=self.check, scope=write, summary="What is wrong yet"),
            ApiRoute(method="GET", path=ONE, endpoint=self.show, scope=read, summary="One rule"),
            ApiRoute(method="GET", path=ONE + "/edit", endpoint=self.edit, scope=write, summary="Its editor"),
            ApiRoute(method="POST", path=ONE + "/edit", endpoint=self.send, scope=write, summary="Try it, or save it"),
            ApiRoute(method="POST", path=ONE + "/restore", endpoint=self.restore, scope=write, summary="Back to one"),
            ApiRoute(method="POST", path=ONE + "/retire", endpoint=self.retire, scope=write, summary="Retire it"),
        )  # fmt: skip

    async def list(self, request: Request) -> Response:
        page = await list_page(self._inside, request, PATH, RULES.filters)
        used = await self._usage(request, [one["id"] for one in page.rows])
        return self._pages.page(request, "rules.html", page=page, choices=CHOICES, used=used)

    async def show(self, request: Request) -> Response:
        path = _api_path(request)
        rule = await self._inside.get(request, path)
        versions = (await self._inside.get(request, path + "/history", VERSIONS))["items"]
        older: list[Mapping[str, Any] | None] = [*versions[1:], None]
        changes = [
            differences(before["rule"] if before else None, after["rule"]) if before or after["version"] == 1 else []
            for after, before in zip(versions, older, strict=True)
        ]
        history = list(zip(versions, changes, strict=True))
        used = (await self._usage(request, [rule["id"]])).get(rule["id"])
        return self._pages.page(
            request, "rule.html", it=rule, history=history, used=used, saved="saved" in request.query_params
        )

    async def new(self, request: Request) -> Response:
        """With `do=try` in its address it is tried at once."""
        form = dict(NEW) | _given(request)
        if request.query_params.get("do") == "try":
            return await self._tried(request, form, None)
        return self._editor(request, form, None)

    async def edit(self, request: Request) -> Response:
        rule = await self._inside.get(request, _api_path(request))
        return self._editor(request, fields_of(rule), rule["version"])

    async def send(self, request: Request) -> Response:
        """Tries what the form holds, or saves it."""
        form = request.state.form
        version = whole(form, "version") if form.get("version") else None
        if form.get("do") != "save":
            return await self._tried(request, form, version)
        try:
            return await self._save(request, form, version)
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type is ProblemType.STALE:
                return await self._conflict(request, form, version)
            if problem.type is not ProblemType.VALIDATION:
                raise
            return self._editor(request, form, version, problem=problem)

    async def _tried(self, request: Request, form: Mapping[str, str], version: int | None) -> Response:
        try:
            trial = await self._inside.ask(request, "POST", PATH + "/dry-run", body=trial_of(form, _id(request)))
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type is not ProblemType.VALIDATION:
                raise
            return self._editor(request, form, version, problem=problem)
        return self._editor(request, form, version, trial=trial.body)

    async def check(self, request: Request) -> Response:
        """For the script of the editor: faults by field, and marks under texts that are wrong in one place."""
        form = request.state.form
        try:
            found = (await self._inside.ask(request, "POST", PATH + "/check", body=body_of(form))).body
        except Problem as problem:
            if problem.type is not ProblemType.VALIDATION:
                raise
            return JsonResponse({"faults": faults_of(problem), "marks": pointed(problem, form), "warnings": []})
        return JsonResponse({"faults": {}, "marks": {}, "warnings": found["warnings"]})

    async def restore(self, request: Request) -> Response:
        form = request.state.form
        wanted = whole(form, "to")
        body = {"version": wanted, "reason": form.get("reason") or f"back to version {wanted}"}
        return await self._write(request, "POST", "/restore", body)

    async def retire(self, request: Request) -> Response:
        reason = request.state.form.get("reason", "")
        return await self._write(request, "DELETE", "", query={"reason": reason} if reason else {})

    async def _write(
        self, request: Request, method: str, below: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> Response:
        headers = {"If-Match": etag(whole(request.state.form, "version"))}
        path = _api_path(request) + below
        await self._inside.ask(request, method, path, body=body, query=query or {}, headers=headers)
        return _to(f"{UI}/{_id(request)}?saved=1")

    async def _save(self, request: Request, form: Mapping[str, str], version: int | None) -> Response:
        body = body_of(form) | ({"reason": form["reason"]} if form.get("reason") else {})
        if version is None:
            headers = {IDEMPOTENCY_KEY: form.get("once") or token_hex(16)}
            made = await self._inside.ask(request, "POST", PATH, body=body, headers=headers)
            return _to(f"{UI}/{made.body['id']}?saved=1")
        await self._inside.ask(request, "PUT", _api_path(request), body=body, headers={"If-Match": etag(version)})
        return _to(f"{UI}/{_id(request)}?saved=1")

    async def _conflict(self, request: Request, form: Mapping[str, str], version: int | None) -> Response:
        """What the rule is by now, and what was to be saved: the reader decides, nothing is lost."""
        now = await self._inside.get(request, _api_path(request))
        newest = (await self._inside.get(request, _api_path(request) + "/history", {"limit": "1"}))["items"][0]
        return self._pages.page(
            request, "rule_conflict.html", status=409, it=now, form=form, version=version, newest=newest,
            rows=differences(fields_of(now), fields_of(form)),
        )  # fmt: skip

    def _editor(
        self,
        request: Request,
        form: Mapping[str, str],
        version: int | None,
        *,
        problem: Problem | None = None,
        trial: Mapping[str, Any] | None = None,
    ) -> Response:
        return self._pages.page(
            request, "rule_editor.html", status=problem.type.status if problem else 200, form=form, version=version,
            rule_id=_id(request), faults=faults_of(problem) if problem else {},
            marks=pointed(problem, form) if problem else {}, trial=trial, choices=CHOICES, last=LAST,
            once=form.get("once") or token_hex(16),
        )  # fmt: skip

    async def _usage(self, request: Request, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """By the ids of rules in force."""
        if not ids:
            return {}
        found = await self._inside.get(request, PATH + "/usage", {"ids": ",".join(map(str, ids))})
        return {one["rule_id"]: one | {"most": found["most"]} for one in found["items"]}


def _id(request: Request) -> int | None:
    found: int | None = request.path_params.get("id")
    return found


def _api_path(request: Request) -> str:
    return f"{PATH}/{_id(request)}"


def _given(request: Request) -> dict[str, str]:
    """A new rule may begin with what a link says: a pattern of an event, a host."""
    names = ("match_type", "match_string", "trap_oid", "priority", "description", "lines")
    return {name: request.query_params[name] for name in names if name in request.query_params}


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, headers=SAFE)
