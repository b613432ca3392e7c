"""The one place where answers are sent: what an endpoint returns, or what is told of what it raised."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.compression import packed
from api.problems import answer_to
from api.routes import Endpoint

log = structlog.get_logger()

Told = Callable[[Exception, Request], Response]


def as_document(error: Exception, request: Request) -> Response:
    """As programs read it: JSON."""
    return answer_to(error, request.scope["path"], request.scope["state"]["correlation_id"])


class Answering:
    """ASGI around an endpoint; stands below the envelope, whose `head` and ids it needs."""

    def __init__(self, endpoint: Endpoint, told: Told = as_document) -> None:
        self._endpoint = endpoint
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._endpoint(request)
        except Exception as error:  # noqa: BLE001 - what is no refusal is told as a defect
            response = self._told(error, request)
        try:
            await packed(response, scope["state"]["head"])(scope, receive, send)
        except Exception as error:
            log.error("an answer broke off", path=scope["path"], error=repr(error))
            raise  # its beginning is sent, so that only closing the connection tells the caller
