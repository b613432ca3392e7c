"""Answers about one thing that has a version: its ETag, where it is, and 304 for who knows it already."""

from __future__ import annotations

from urllib.parse import quote

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api.preconditions import etag, unchanged
from api.problems import JsonResponse


def found(request: Request, body: Struct, version: int) -> Response:
    """The answer to GET."""
    return (
        Response(status_code=304, headers={"ETag": etag(version)})
        if unchanged(request, version)
        else now(body, version)
    )


def now(body: Struct, version: int) -> Response:
    """The answer to a change: the thing as it is now."""
    return JsonResponse(body, headers={"ETag": etag(version)})


def made(body: Struct, version: int, collection: str, name: str | int) -> Response:
    """The answer to a creation."""
    headers = {"ETag": etag(version), "Location": f"{collection}/{quote(str(name), safe='')}"}
    return JsonResponse(body, 201, headers=headers)
