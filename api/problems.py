"""Errors as answers: the documented v1 shapes where v1 had the status, problem+json (RFC 9457) everywhere else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from starlette.responses import Response

from api.problem_types import ProblemType
from api.versions import V1
from schemas.errors import (
    AlreadyThere,
    BrokerUnavailable,
    ConfigRefused,
    KnownDown,
    MaintenanceOver,
    MaintenanceRefused,
    MuttError,
    NotFound,
    Outdated,
    Overloaded,
    Refused,
    RuleRefused,
    TooSlow,
    Unavailable,
)

log = structlog.get_logger()

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 5
V1_STATUSES = frozenset({400, 401, 403, 404, 405, 409, 422, 429, 500})
INGEST_PATHS = frozenset({"/ingest", "/api/v1/ingest"})
INGEST_STATUSES = frozenset({400, 401, 429, 500, 503})

KAFKA_AWAY = "Kafka did not acknowledge; what was sent may be published all the same"
KAFKA_DOWN = "Kafka does not answer; nothing was sent; try again"
AWAY = "the database does not answer; try again"
TOO_SLOW = "the answer takes too long; ask for less"
BUSY = "too many requests wait already; try again"
DEFECT = "internal error"


class JsonResponse(Response):
    """JSON as every answer of the API is written."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request: where (a JSON pointer into the body, or a parameter), and what."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    position: int | None = None
    """Of a text that is wrong in one place: how many of its characters stand before that."""

    def shown(self) -> dict[str, str | int]:
        members = {
            "pointer": self.pointer,
            "parameter": self.parameter,
            "detail": self.detail,
            "position": self.position,
        }
        return {name: value for name, value in members.items() if value is not None}

    def __str__(self) -> str:
        return f"{self.pointer}: {self.detail}" if self.pointer else self.detail


class Problem(MuttError):  # noqa: N818 - as RFC 9457 calls it
    """An error answer. Raised by endpoints and all they call in `api`; `detail` is ours, never a stranger's text.

    `extra` are members beside the standard ones.
    """

    def __init__(
        self,
        type_: ProblemType,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.type = type_
        self.detail = detail
        self.headers = headers
        self.errors = tuple(errors)
        self.extra = dict(extra or {})


class Invalid(Problem):
    """422: what the caller asked cannot be answered; all that is wrong at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(ProblemType.VALIDATION, "; ".join(map(str, faults)), errors=faults)


def answer_to(error: Exception, path: str, correlation_id: str) -> Response:
    """What the caller is told of what was raised; what is none of theirs goes to the log."""
    return error_response(path, correlation_id, problem_of(error, path))


def problem_of(error: Exception, path: str) -> Problem:
    """What was raised as a problem of the caller's, or as one that he is told of without its reason."""
    words = next(WORDS[kind] for kind in type(error).__mro__ if kind in WORDS)
    return words(error, path)


def error_response(path: str, correlation_id: str, problem: Problem) -> Response:
    """The answer to an error on this path."""
    if path in INGEST_PATHS and problem.type.status in INGEST_STATUSES:
        body = _ingest_error(problem)
    elif V1.owns(path) and problem.type.status in V1_STATUSES:
        body = {"error": problem.detail}
    else:
        body = _problem(problem)
    media = PROBLEM_JSON if "type" in body else None
    body |= {"correlation_id": correlation_id} | problem.extra
    return JsonResponse(body, problem.type.status, headers=problem.headers, media_type=media)


def _ingest_error(problem: Problem) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "error", "message": problem.detail}
    wait = (problem.headers or {}).get("Retry-After")
    return body | {"retry_after": int(wait)} if wait is not None and problem.type.status == 429 else body


def _problem(problem: Problem) -> dict[str, Any]:
    type_ = problem.type
    body = {"type": type_.uri, "title": type_.title, "status": type_.status, "detail": problem.detail}
    return body | {"errors": [fault.shown() for fault in problem.errors]} if problem.errors else body


def _itself(error: Exception, _: str) -> Problem:
    assert isinstance(error, Problem)
    return error


def _refused(error: Exception, _: str) -> Problem:
    """The store or the core found what is wrong with what the caller sent."""
    assert isinstance(error, Refused)
    type_ = next(type_ for kind, type_ in REFUSALS.items() if isinstance(error, kind))
    faults = [Fault(problem) for problem in error.problems] if type_ is ProblemType.VALIDATION else []
    return Problem(type_, str(error), errors=faults)


def _unavailable(error: Exception, path: str) -> Problem:
    """Something outside is away: the reason is for the log, the caller is told when to come again.

    What was refused without being asked comes by the thousand, and is told by metrics alone.
    """
    tell = log.debug if isinstance(error, KnownDown | Overloaded) else log.warning
    tell("unavailable", path=path, error=str(error))
    type_, detail = _kind_of(error)
    return Problem(type_, detail, headers={"Retry-After": str(retry_after(error))})


def _kind_of(error: Exception) -> tuple[ProblemType, str]:
    if isinstance(error, TooSlow):
        return ProblemType.TOO_SLOW, TOO_SLOW
    if isinstance(error, Overloaded):
        return ProblemType.BUSY, BUSY
    if isinstance(error, BrokerUnavailable):
        return ProblemType.UNAVAILABLE, KAFKA_AWAY
    return ProblemType.UNAVAILABLE, KAFKA_DOWN if isinstance(error, KnownDown) and error.service == "kafka" else AWAY


def retry_after(error: Exception) -> int:
    """Whole seconds, at least one, after which to ask again."""
    return max(1, math.ceil(error.retry_after_s)) if isinstance(error, KnownDown) else RETRY_AFTER_S


def _defect(error: Exception, path: str) -> Problem:
    log.error("defect", path=path, error=repr(error), exc_info=error)
    return Problem(ProblemType.INTERNAL, DEFECT)


REFUSALS: dict[type[Refused], ProblemType] = {
    NotFound: ProblemType.NOT_FOUND,
    AlreadyThere: ProblemType.CONFLICT,
    Outdated: ProblemType.STALE,
    MaintenanceOver: ProblemType.CONFLICT,
    MaintenanceRefused: ProblemType.VALIDATION,
    RuleRefused: ProblemType.VALIDATION,
    ConfigRefused: ProblemType.VALIDATION,
}
"""What callers are told where the store or the core refuse what they sent."""

WORDS: dict[type[Exception], Callable[[Exception, str], Problem]] = {
    Problem: _itself,
    **dict.fromkeys(REFUSALS, _refused),
    Unavailable: _unavailable,
    Exception: _defect,
}
"""How each kind of error is told, by its nearest class; the text is the path asked for."""
