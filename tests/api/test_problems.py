"""Errors as answers: the closed table of types, and the shapes of v1, of ingest, and of everything else."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response

from api.problem_types import ProblemType
from api.problems import INGEST_STATUSES, V1_STATUSES, Fault, Invalid, Problem, error_response
from api.routes import ApiRoute
from schemas.errors import ConfigRefused, Outdated, RuleRefused
from schemas.scopes import Scope
from tests.api.window import window_of

ALL = list(ProblemType)


def shown(path: str, problem: Problem) -> tuple[int, str, dict[str, Any]]:
    answer = error_response(path, "c-1", problem)
    return answer.status_code, answer.headers["content-type"], orjson.loads(answer.body)


def test_the_table_is_one_to_read() -> None:
    assert len({type_.slug for type_ in ALL}) == len(ALL)
    for type_ in ALL:
        assert HTTPStatus(type_.status) >= 400
        assert type_.slug == type_.slug.lower()
        assert type_.title[0].isupper()
        assert type_.remedy.endswith(".")


@pytest.mark.parametrize("type_", ALL)
@pytest.mark.parametrize("path", ["/api/v2/x", "/health", ""])
def test_problems(path: str, type_: ProblemType) -> None:
    faults = [Fault("is wrong", pointer="/a"), Fault("is known to nobody", parameter="b")]
    status, media, body = shown(path, Problem(type_, "why", errors=faults, extra={"limit": 3}))
    assert (status, media) == (type_.status, "application/problem+json")
    assert body == {
        "type": f"/problems/{type_.slug}",
        "title": type_.title,
        "status": type_.status,
        "detail": "why",
        "errors": [{"pointer": "/a", "detail": "is wrong"}, {"parameter": "b", "detail": "is known to nobody"}],
        "correlation_id": "c-1",
        "limit": 3,
    }


@pytest.mark.parametrize("type_", ALL)
def test_v1_keeps_its_shape_where_it_had_the_status(type_: ProblemType) -> None:
    status, media, body = shown("/api/v1/rules", Problem(type_, "why"))
    assert status == type_.status
    if status in V1_STATUSES:
        assert (media, body) == ("application/json", {"error": "why", "correlation_id": "c-1"})
    else:
        assert (media, body["type"]) == ("application/problem+json", type_.uri)


@pytest.mark.parametrize("path", ["/ingest", "/api/v1/ingest"])
@pytest.mark.parametrize("type_", [type_ for type_ in ALL if type_.status in INGEST_STATUSES])
def test_ingest_has_a_shape_of_its_own(path: str, type_: ProblemType) -> None:
    problem = Problem(type_, "why", headers={"Retry-After": "7"})
    more = {"retry_after": 7} if type_.status == 429 else {}
    expected = {"status": "error", "message": "why", "correlation_id": "c-1"} | more
    assert shown(path, problem) == (type_.status, "application/json", expected)


def test_v1_says_all_faults_in_one_line() -> None:
    problem = Invalid([Fault("is missing", pointer="/name"), Fault("limit must be 1 or more", parameter="limit")])
    assert shown("/api/v1/rules", problem)[2]["error"] == "/name: is missing; limit must be 1 or more"


@pytest.mark.parametrize(
    ("error", "type_", "faults"),
    [
        (Outdated("look again"), ProblemType.STALE, None),
        (RuleRefused(["one", "two"]), ProblemType.VALIDATION, ["one", "two"]),
        (ConfigRefused("one"), ProblemType.VALIDATION, ["one"]),
    ],
)
def test_what_the_store_refuses_is_the_callers(error: Exception, type_: ProblemType, faults: list[str] | None) -> None:
    async def refuses(_: Request) -> Response:
        raise error

    class Refuses:
        def routes(self) -> tuple[ApiRoute, ...]:
            return (
                ApiRoute(
                    method="GET",
                    path="/api/v2/x",
                    endpoint=refuses,
                    scope=Scope.RULES_READ,
                    summary="x",
                    errors=(412, 422),
                ),
            )

    answer = window_of([Refuses()]).get("/api/v2/x")
    assert (answer.status_code, answer.json()["type"]) == (type_.status, type_.uri)
    assert [fault["detail"] for fault in answer.json().get("errors", ())] == (faults or [])
