"""The one place where answers are sent: what an endpoint returns, or what is told of what it raised."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from api.compression import packed
from api.problems import answer_to
from api.routes import Endpoint

log = structlog.get_logger()


class Answering:
    """ASGI around an endpoint; stands below the envelope, whose `head` and ids it needs."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._endpoint(Request(scope, receive))
        except Exception as error:  # noqa: BLE001 - what is no refusal is told as a defect
            response = answer_to(error, scope["path"], scope["state"]["correlation_id"])
        try:
            await packed(response, scope["state"]["head"])(scope, receive, send)
        except Exception as error:
            log.error("an answer broke off", path=scope["path"], error=repr(error))
            raise  # its beginning is sent, so that only closing the connection tells the caller
