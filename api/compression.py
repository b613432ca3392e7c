"""Large answers in gzip, for who accepts that."""

from __future__ import annotations

from starlette.middleware.gzip import GZipResponder
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from api.head import Head

EVENTS = "text/event-stream"
LARGE = 1024
"""Bytes from which an answer is worth it."""


def packed(response: Response, head: Head) -> ASGIApp:
    """The answer itself, or Starlette's packer around it: most answers are small, and a packer costs more than they."""
    if response.media_type == EVENTS:  # a packer would hold back what is to be seen at once
        return response
    large = isinstance(response, StreamingResponse) or len(response.body) >= LARGE
    if not large or "gzip" not in (head.first(b"accept-encoding") or ""):
        return response
    return GZipResponder(response, LARGE, compresslevel=6, exclude_content_types=())  # nothing here is packed already
