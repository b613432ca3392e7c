"""A worker's own small HTTP server: /health, /ready and /metrics, on loopback unless set otherwise."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from schemas.versions import MUTT_VERSION, version_headers
from streams.adapters.listening import Front

ReadyCheck = Callable[[], dict[str, str]]
"""What is not ready, and why; empty when the worker works. Answers from memory."""

PausedCheck = Callable[[], list[str]]
"""Why the worker stands still on purpose; empty when it does not. Answers from memory."""

StoppedCheck = Callable[[], list[str]]
"""What the worker has stopped doing until an operator acts; empty when it does all. Answers from memory."""

PLAIN = Front()


class HealthServer:
    """Serves until closed. `port` 0 takes a free one; `address` tells which."""

    def __init__(
        self,
        service: str,
        registry: CollectorRegistry,
        ready: ReadyCheck,
        paused: PausedCheck = list,
        *,
        stopped: StoppedCheck = list,
        front: Front = PLAIN,
    ) -> None:
        self._service = service
        self._registry = registry
        self._ready = ready
        self._paused = paused
        self._stopped = stopped
        self._front = front
        self._runner: web.ServerRunner | None = None
        self.address: tuple[str, int] | None = None

    async def start(self, host: str, port: int) -> None:
        """Raises OSError when the address is taken."""
        answers = {"/health": self._health, "/ready": self._readiness, "/metrics": self._metrics}
        self._runner = web.ServerRunner(_Server(partial(_answer, answers)))
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=self._front.tls)
        await site.start()
        self.address = self._runner.addresses[0][:2]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _health(self, _: web.BaseRequest) -> web.Response:
        return web.json_response({"status": "healthy", "service": self._service, "version": MUTT_VERSION})

    def _readiness(self, _: web.BaseRequest) -> web.Response:
        """503 while something is wrong. A worker that stands still on purpose does its work: degraded, yet 200."""
        missing, paused, stopped = self._ready(), self._paused(), self._stopped()
        degraded = [f"paused ({', '.join(paused)})"] if paused else []
        degraded += [f"{what} stopped" for what in stopped]
        status = "not ready" if missing else f"degraded: {', '.join(degraded)}" if degraded else "ready"
        body = {"status": status, "service": self._service, "problems": missing, "paused": paused, "stopped": stopped}
        return web.json_response(body, status=503 if missing else 200)

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        certified = request.transport is not None and bool(request.transport.get_extra_info("peercert"))
        given = request.headers.getall("Authorization", [])
        if not self._front.door.opens(given[0] if len(given) == 1 else None, certified=certified):
            body = {"error": "a token or a certificate is needed"}
            return web.json_response(body, status=401, headers={"WWW-Authenticate": "Bearer"})
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


Answers = Mapping[str, Callable[[web.BaseRequest], web.Response]]


async def _answer(answers: Answers, request: web.BaseRequest) -> web.Response:
    found = answers.get(request.path)
    if found is None:
        response = web.json_response({"error": "there is nothing at this path"}, status=404)
    elif request.method not in ("GET", "HEAD"):
        response = web.json_response({"error": "read only"}, status=405, headers={"Allow": "GET, HEAD"})
    else:
        response = found(request)
    response.headers.update(_named())
    return response


def _named() -> dict[str, str]:
    """What every answer names, errors included: the API's versions, and an id of its own. Not what serves it."""
    return {**version_headers(), "X-Request-ID": str(uuid.uuid4()), "Server": "mutt"}


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), access_log=None)  # type: ignore[arg-type]


class _Connection(web.RequestHandler):
    """Answers what is no HTTP, and a defect of ours, like everything else; a stranger's text is not repeated."""

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        response = super().handle_error(request, status, exc, "")
        response.headers.update(_named())
        return response
