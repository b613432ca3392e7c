"""Files of rules: all rules to keep, and the rules of a file added, tried first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.console.inside import Inside
from api.console.rendering import SAFE, Pages
from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import NDJSON, ApiRoute
from api.rule_files import YAML
from api.rules import PATH
from schemas.rule_files import RulesFormat
from schemas.scopes import Scope

UI = "/ui/rules/files"
MEDIA = {RulesFormat.JSONL.value: NDJSON, RulesFormat.YAML.value: YAML}


class RuleFilePages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.RULES_READ, Scope.RULES_WRITE
        return (
            ApiRoute(method="GET", path=UI, endpoint=self.show, scope=read, summary="Files of rules"),
            ApiRoute(method="GET", path=UI + "/{format}", endpoint=self.file, scope=read, summary="All, as a file"),
            ApiRoute(method="POST", path=UI, endpoint=self.send, scope=write, summary="Try a file, or add its rules"),
        )  # fmt: skip

    async def show(self, request: Request) -> Response:
        return self._page(request, {})

    async def file(self, request: Request) -> Response:
        response = await self._inside.file(request, PATH + "/export", {"format": request.path_params["format"]})
        response.headers.update(SAFE)
        return response

    async def send(self, request: Request) -> Response:
        form = request.state.form
        media = MEDIA.get(form.get("format", ""), NDJSON)
        reason = form.get("reason", "").strip()
        query = {"dry_run": str(form.get("do") != "add").lower()} | ({"reason": reason} if reason else {})
        try:
            answer = await self._inside.ask(
                request, "POST", PATH + "/import", query=query, body=form.get("content", "").encode(),
                headers={"Content-Type": media},
            )  # fmt: skip
        except Problem as problem:
            if problem.type not in (ProblemType.VALIDATION, ProblemType.MALFORMED):
                raise
            return self._page(request, form, problem=problem)
        return self._page(request, form, done=answer.body)

    def _page(
        self,
        request: Request,
        form: Mapping[str, str],
        *,
        problem: Problem | None = None,
        done: Mapping[str, Any] | None = None,
    ) -> Response:
        status = problem.type.status if problem else 200
        return self._pages.page(
            request, "rule_files.html", status=status, form=form, problem=problem, done=done, formats=tuple(MEDIA)
        )
