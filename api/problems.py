"""Errors as answers: the documented v1 shape where v1 had the status, problem+json (RFC 9457) everywhere else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.versions import V1
from schemas.errors import KnownDown, Overloaded, TooSlow, Unavailable

log = structlog.get_logger()

RETRY_AFTER_S = 5
V1_STATUSES = frozenset({400, 401, 403, 404, 405, 409, 422, 429, 500})

AWAY = "the database does not answer; try again"
TOO_SLOW = "the answer takes too long; ask for less"
BUSY = "too many requests wait already; try again"
DEFECT = "internal error"


class JsonResponse(Response):
    """JSON as every answer of the API is written."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


class Invalid(HTTPException):
    """422: what the caller asked cannot be answered; all that is wrong at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(422, "; ".join(problems))


def error_response(path: str, correlation_id: str, status: int, detail: str) -> Response:
    """The body of an error on this path. `detail` is ours: never SQL, never what a stranger sent."""
    if V1.owns(path) and status in V1_STATUSES:
        return JsonResponse({"error": detail, "correlation_id": correlation_id}, status)
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "correlation_id": correlation_id}
    return JsonResponse(body, status, media_type="application/problem+json")


async def http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, error.status_code, error.detail, error.headers)


async def unavailable(request: Request, error: Exception) -> Response:
    """Something outside is away: the reason is for the log, the caller is told when to come again.

    What was refused without being asked comes by the thousand, and is told by metrics alone.
    """
    tell = log.debug if isinstance(error, KnownDown | Overloaded) else log.warning
    tell("unavailable", path=request.scope["path"], error=str(error), request_id=request.state.request_id)
    detail = TOO_SLOW if isinstance(error, TooSlow) else BUSY if isinstance(error, Overloaded) else AWAY
    return _answer(request, 503, detail, {"Retry-After": str(retry_after(error))})


def retry_after(error: Exception) -> int:
    """Whole seconds, at least one, after which to ask again."""
    return max(1, math.ceil(error.retry_after_s)) if isinstance(error, KnownDown) else RETRY_AFTER_S


async def defect(request: Request, error: Exception) -> Response:
    log.error("defect", path=request.scope["path"], error=repr(error), request_id=request.state.request_id)
    return _answer(request, 500, DEFECT, None)


def _answer(request: Request, status: int, detail: str, headers: Mapping[str, str] | None) -> Response:
    response = error_response(request.scope["path"], request.state.correlation_id, status, detail)
    response.headers.update(headers or {})
    if "allow" in response.headers:
        response.headers["allow"] = ", ".join(sorted(response.headers["allow"].split(", ")))
    return response


HANDLERS: dict[Any, Any] = {HTTPException: http_error, Unavailable: unavailable, Exception: defect}
