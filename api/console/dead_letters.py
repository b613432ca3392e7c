"""Dead letters and jobs: what could not be processed, and sending it again, tried first and with its progress."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import dead_letters, jobs
from api.console.inside import Inside
from api.console.listing import list_page
from api.console.rendering import SAFE, Pages
from api.idempotency import NAME as IDEMPOTENCY_KEY
from api.problem_types import ProblemType
from api.problems import Problem, problem_of
from api.routes import ApiRoute
from schemas.dead_letters import LetterState, Reason, Stage
from schemas.errors import Refused
from schemas.scopes import Scope
from streams.core.jobs import JobState

UI = "/ui/dead-letters"
JOBS = "/ui/jobs"
MANY = ("reasons", "stages", "hosts", "topics", "ids")
"""Members of a choice that are lists; the form has one value of each, or some with commas between."""
NUMBERS: Mapping[str, type[int] | type[float]] = {"limit": int, "rate": float}
STILL_RUNS = {"Refresh": "2"}
"""Seconds after which the browser asks again; the page works without script."""
BYTES_SHOWN = 64 * 1024


class DeadLetterPages:
    def __init__(self, inside: Inside, pages: Pages) -> None:
        self._inside = inside
        self._pages = pages

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.DLQ_READ, Scope.DLQ_WRITE
        return (
            ApiRoute(method="GET", path=UI, endpoint=self.list, scope=read, summary="Dead letters"),
            ApiRoute(method="GET", path=UI + "/replay", endpoint=self.choose, scope=write, summary="Which to replay"),
            ApiRoute(method="POST", path=UI + "/replay", endpoint=self.replay, scope=write, summary="Try it, or do it"),
            ApiRoute(method="GET", path=UI + "/{id:uuid}", endpoint=self.show, scope=read, summary="One dead letter"),
            ApiRoute(method="GET", path=JOBS, endpoint=self.jobs, scope=read, summary="Jobs"),
            ApiRoute(method="GET", path=JOBS + "/{id:uuid}", endpoint=self.job, scope=read, summary="One job"),
        )

    async def list(self, request: Request) -> Response:
        page = await list_page(self._inside, request, dead_letters.PATH, dead_letters.FILTERS)
        return self._pages.page(request, "dead_letters.html", page=page, **letter_words())

    async def show(self, request: Request) -> Response:
        letter = await self._inside.get(request, f"{dead_letters.PATH}/{request.path_params['id']}")
        values = [(name, _bytes(letter[name])) for name in ("key", "value", "edited_value")]
        headers = [(_bytes(one["name"]), _bytes(one["value"])) for one in letter["headers"]]
        return self._pages.page(request, "dead_letter.html", it=letter, values=values, letter_headers=headers)

    async def choose(self, request: Request) -> Response:
        return self._form(request, dict(request.query_params))

    async def replay(self, request: Request) -> Response:
        form = request.state.form
        begin = form.get("do") == "replay"
        headers = {IDEMPOTENCY_KEY: form["once"]} if begin and form.get("once") else {}
        body = order_of(form) | {"dry_run": not begin}
        try:
            answer = await self._inside.ask(request, "POST", dead_letters.PATH + "/replay", body=body, headers=headers)
        except (Problem, Refused) as error:
            problem = problem_of(error, request.scope["path"])
            if problem.type is not ProblemType.VALIDATION:
                raise
            return self._form(request, form, problem=problem, status=422)
        if begin:
            return RedirectResponse(f"{JOBS}/{answer.body['job']['id']}", 303, headers=SAFE)
        return self._form(request, form, trial=answer.body["dry_run"])

    async def jobs(self, request: Request) -> Response:
        page = await list_page(self._inside, request, jobs.PATH, ())
        return self._pages.page(request, "jobs.html", page=page)

    async def job(self, request: Request) -> Response:
        found = await self._inside.get(request, f"{jobs.PATH}/{request.path_params['id']}")
        runs = found["state"] != JobState.FINISHED
        return self._pages.page(request, "job.html", headers=STILL_RUNS if runs else {}, it=found, runs=runs)

    def _form(
        self,
        request: Request,
        form: Mapping[str, str],
        *,
        trial: Mapping[str, Any] | None = None,
        problem: Problem | None = None,
        status: int = 200,
    ) -> Response:
        return self._pages.page(
            request, "replay.html", status=status, form=form, trial=trial, problem=problem,
            once=request.state.request_id, **letter_words(),
        )  # fmt: skip


def order_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The order as the API takes it; what is no number stays as it is, so that the API says so."""
    chosen: dict[str, Any] = {
        name: [one.strip() for one in form[name].split(",") if one.strip()] for name in MANY if form.get(name)
    }
    chosen |= {name: form[name].strip() for name in ("since", "until") if form.get(name, "").strip()}
    order: dict[str, Any] = {"filter": chosen}
    for name, kind in NUMBERS.items():
        if text := form.get(name, "").strip():
            order[name] = _number(text, kind)
    return order | ({"reason": form["reason"]} if form.get("reason") else {})


def _number(text: str, kind: type[int] | type[float]) -> int | float | str:
    try:
        return kind(text)
    except ValueError:
        return text


def letter_words() -> dict[str, Any]:
    return {
        "reasons": [one.value for one in Reason],
        "stages": [one.value for one in Stage],
        "states": [one.value for one in LetterState],
    }


def _bytes(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Text where it is text, and always how it looks in bytes."""
    if data is None:
        return None
    raw = base64.b64decode(data["base64"])
    lines = [f"{at:06x}  {raw[at : at + 16].hex(' ')}" for at in range(0, min(len(raw), BYTES_SHOWN), 16)]
    return {"text": data["text"], "size": len(raw), "hex": "\n".join(lines)}
