"""HTTP/1.1 below the app: how much of a request is read, and what bytes that are no HTTP are answered."""

from __future__ import annotations

import uuid

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.problem_types import ProblemType
from api.problems import Problem, error_response
from api.versions import FOR_GOOD, UNVERSIONED, headers_of

MOST_READ = 256 * 1024
"""Bytes of request line and headers; more than the app allows, so that it can say 414 or 431."""


class Protocol(H11Protocol):
    """h11, since it bounds what it buffers. Its own refusals look like the app's."""

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP request, and closes; there is no path, so no version."""
        ids = {name: str(uuid.uuid4()) for name in ("X-Request-ID", "X-Correlation-ID")}
        problem = Problem(ProblemType.MALFORMED, "not an HTTP request that can be read")
        response = error_response("", ids["X-Correlation-ID"], problem)
        response.headers.update(headers_of(UNVERSIONED, FOR_GOOD, None) | ids | {"Connection": "close"})
        for event in (
            h11.Response(status_code=400, headers=response.raw_headers, reason=b"Bad Request"),
            h11.Data(data=bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
