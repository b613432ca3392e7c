"""Dead letters changed by hand: another value for a replay to send, and letters set aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import dead_letters
from api.console.dead_letters import UI, letter_words, order_of
from api.console.forms import whole
from api.console.inside import Inside
from api.console.rendering import SAFE, Pages
from api.problem_types import ProblemType
from api.problems import Problem, problem_of
from api.routes import ApiRoute
from schemas.errors import Refused
from schemas.scopes import Scope

SHOWN = (ProblemType.VALIDATION, ProblemType.CONFLICT, ProblemType.STALE)
NOT_HERE = "\r\0"
"""What a form does not send back as it was."""


class LetterPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        write, edit, park = Scope.DLQ_WRITE, UI + "/{id:uuid}/edit", UI + "/park"
        return (
            ApiRoute(method="GET", path=edit, endpoint=self.edit, scope=write, summary="Its editor"),
            ApiRoute(method="POST", path=edit, endpoint=self.change, scope=write, summary="Try an edit, or keep it"),
            ApiRoute(method="GET", path=park, endpoint=self.choose, scope=write, summary="Which to set aside"),
            ApiRoute(method="POST", path=park, endpoint=self.park, scope=write, summary="Count, or set aside"),
        )  # fmt: skip

    async def edit(self, request: Request) -> Response:
        letter = await self._inside.get(request, _path(request))
        return self._editor(request, letter, current_text(letter), letter["edits"])

    async def change(self, request: Request) -> Response:
        form = request.state.form
        text, edits, keep = form.get("text", ""), whole(form, "edits"), form.get("do") == "keep"
        body = {"text": text, "edits": edits, "dry_run": not keep} | _why(form)
        try:
            answer = (await self._inside.ask(request, "POST", _path(request) + "/edit", body=body)).body
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type not in SHOWN:
                raise
            letter = await self._inside.get(request, _path(request))
            return self._editor(request, letter, text, letter["edits"], problem=problem)
        if keep:
            return RedirectResponse(f"{UI}/{request.path_params['id']}", 303, headers=SAFE)
        letter = await self._inside.get(request, _path(request))
        return self._editor(request, letter, text, edits, trial=answer)

    async def choose(self, request: Request) -> Response:
        return self._parking(request, dict(request.query_params))

    async def park(self, request: Request) -> Response:
        """Counts the letters; with their number typed they are set aside, or taken back."""
        form = request.state.form
        back = form.get("back") == "true"
        body = {"filter": order_of(form)["filter"]} | _why(form)
        if form.get("do") == "park":
            body["expected"] = _typed(form.get("typed", ""))
        try:
            path = dead_letters.PATH + ("/unpark" if back else "/park")
            answer = (await self._inside.ask(request, "POST", path, body=body)).body
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type not in SHOWN:
                raise
            return self._parking(request, form, problem=problem)
        return self._parking(request, form, answer=answer)

    def _parking(
        self,
        request: Request,
        form: Mapping[str, str],
        *,
        answer: Mapping[str, Any] | None = None,
        problem: Problem | None = None,
    ) -> Response:
        status = problem.type.status if problem else 200
        return self._pages.page(
            request, "park.html", status=status, form=form, answer=answer, problem=problem, **letter_words()
        )

    def _editor(
        self,
        request: Request,
        letter: Mapping[str, Any],
        text: str | None,
        edits: int,
        *,
        trial: Mapping[str, Any] | None = None,
        problem: Problem | None = None,
    ) -> Response:
        status = problem.type.status if problem else 200
        return self._pages.page(
            request, "letter_editor.html", status=status, it=letter, text=text, edits=edits, trial=trial,
            problem=problem, form=request.scope["state"].get("form", {}),
        )  # fmt: skip


def current_text(letter: Mapping[str, Any]) -> str | None:
    """What a replay would send, where a form can hold it."""
    value = letter["edited_value"] if letter["edits"] else letter["value"]
    text: str | None = "" if value is None else value["text"]
    return None if text is None or any(char in text for char in NOT_HERE) else text


def _path(request: Request) -> str:
    return f"{dead_letters.PATH}/{request.path_params['id']}"


def _why(form: Mapping[str, str]) -> dict[str, str]:
    reason = form.get("why", "").strip()
    return {"reason": reason} if reason else {}


def _typed(text: str) -> int | str:
    """What is no number stays as it is, so that the API says so."""
    return int(text) if text.strip().isdecimal() else text
