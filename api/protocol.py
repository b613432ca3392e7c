"""HTTP/1.1 below the app: how much of a request is read, how long it may take, and what is no HTTP to us."""

from __future__ import annotations

import asyncio
import re
import socket
from http import HTTPStatus
from secrets import token_hex

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.corked import CorkedTransport
from api.envelope import CERTIFIED
from api.problem_types import ProblemType
from api.problems import Problem, error_response
from api.routes import MOST_BODY
from api.versions import FOR_GOOD, UNVERSIONED, headers_of

MOST_READ = 256 * 1024
"""Bytes of request line and headers; more than the app allows, so that it can say 414 or 431."""

UNREADABLE = Problem(ProblemType.MALFORMED, "not an HTTP request that can be read")
LATE = Problem(ProblemType.LATE, "request line and headers did not come in time")

_END = b"\r\n\r\n"
_BARE = re.compile(rb"(?<!\r)\n")


class Protocol(H11Protocol):
    """h11, since it bounds what it buffers. Its own refusals look like the app's."""

    head_s = 10.0
    """Seconds from the first byte of request line and headers, or from the connection, to their last."""
    rest_s = 2.0
    """Seconds that a body which nobody wanted may still come after its answer; a connection that is closed at once
    takes the answer with it, where the caller is still sending."""
    most_rest = MOST_BODY
    """Bytes of such a body that are read, and dropped."""

    _timer: asyncio.TimerHandle | None = None
    _rest: int | None = None
    """Bytes that came after the answer; None while none is waited for."""
    _before = b""
    """The last bytes of a head that goes on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(CorkedTransport(transport))  # type: ignore[arg-type]
        # asyncio does it only for sockets that name TCP. Without, what is sent in two pieces waits 40 ms for an ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if transport.get_extra_info("peercert"):
            self.app_state = {**self.app_state, CERTIFIED: True}
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head() and self._ends_lines_badly(data):
            self.refuse(UNREADABLE)
            return
        super().data_received(data)
        if self._rest is not None:
            self._read_rest(data)
        elif not self._in_head():
            self._unwatch()
            self._before = b""
        elif self._timer is None and not self.transport.is_closing():
            self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._unwatch()
            self._rest = 0
            self._timer = asyncio.get_running_loop().call_later(self.rest_s, self.transport.close)

    def _read_rest(self, data: bytes) -> None:
        """Stops reading where it is too much; until it is closed the caller can read the answer."""
        assert self._rest is not None
        self._rest += len(data)
        if self.conn.their_state is not h11.SEND_BODY:
            self._rest = None
            self._unwatch()
            if self._in_head():
                self._watch()
        elif self._rest > self.most_rest:
            self.transport.pause_reading()

    def send_400_response(self, msg: str) -> None:
        self.refuse(UNREADABLE)

    def refuse(self, problem: Problem) -> None:
        """Answers what is no request, if nothing was answered yet, and closes; there is no path, so no version."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            ids = {name: token_hex(16) for name in ("X-Request-ID", "X-Correlation-ID")}
            response = error_response("", ids["X-Correlation-ID"], problem)
            response.headers.update(headers_of(UNVERSIONED, FOR_GOOD) | ids | {"Connection": "close"})
            for event in (
                h11.Response(status_code=problem.type.status, headers=response.raw_headers, reason=_reason(problem)),
                h11.Data(data=bytes(response.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _in_head(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def _ends_lines_badly(self, data: bytes) -> bool:
        """Whether a line of the head ends in LF alone: others read such a head otherwise than we do (smuggling)."""
        text = self._before + data
        end = text.find(_END)
        found = _BARE.search(text, len(self._before), end if end >= 0 else len(text))
        self._before = text[-(len(_END) - 1) :]
        return found is not None

    def _watch(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.head_s, self.refuse, LATE)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _reason(problem: Problem) -> bytes:
    return HTTPStatus(problem.type.status).phrase.encode()
