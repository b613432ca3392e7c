"""ETag and If-Match: a write names the version it saw, so that nobody overwrites what he never read."""

from __future__ import annotations

import re

from starlette.requests import Request

from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import Parameter

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e]*)"\s*')

IF_MATCH = Parameter("If-Match", "The ETag of what was read.", required=True, example='"3"')
"""For the `headers` of a route that asks for it."""
IF_NONE_MATCH = Parameter("If-None-Match", "The ETag of what is known already: 304 while it holds.", example='"3"')

MISSING = "If-Match is missing; send the ETag of what you read"
STALE = "it was changed meanwhile; read it again"


def etag(version: int) -> str:
    """The strong ETag of a version."""
    return f'"{version}"'


def required(request: Request, version: int) -> None:
    """For a write on something whose version is this now. Raises Problem: 428 without If-Match, 412 with another.

    It decides nothing between two writers: the store must compare the version again, in its transaction.
    """
    asked = _tags(request, "if-match")
    if asked is None:
        raise Problem(ProblemType.NO_PRECONDITION, MISSING)
    if asked != ["*"] and str(version) not in asked:
        raise Problem(ProblemType.STALE, STALE, headers={"ETag": etag(version)})


def unchanged(request: Request, version: int) -> bool:
    """Whether a read may be answered 304: the caller has this version already."""
    asked = _tags(request, "if-none-match", weak=True)
    return asked is not None and (asked == ["*"] or str(version) in asked)


def _tags(request: Request, name: str, *, weak: bool = False) -> list[str] | None:
    """The tags of a header, `*` alone for any; weak ones count only for reads. None where there is no header."""
    given = request.headers.getlist(name)
    if not given:
        return None
    text = ",".join(given).strip()
    if text == "*":
        return ["*"]
    found = [_TAG.fullmatch(part) for part in text.split(",")]
    return [match[2] for match in found if match is not None and (weak or not match[1])]
