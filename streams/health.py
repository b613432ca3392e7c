"""A worker's own small HTTP server: /health, /ready and /metrics, on loopback unless set otherwise."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from schemas.versions import MUTT_VERSION, version_headers

ReadyCheck = Callable[[], dict[str, str]]
"""What is not ready, and why; empty when the worker works. Answers from memory."""

PausedCheck = Callable[[], list[str]]
"""Why the worker stands still on purpose; empty when it does not. Answers from memory."""

StoppedCheck = Callable[[], list[str]]
"""What the worker has stopped doing until an operator acts; empty when it does all. Answers from memory."""


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
    ) -> None:
        self._service = service
        self._registry = registry
        self._ready = ready
        self._paused = paused
        self._stopped = stopped
        self._runner: web.AppRunner | None = None
        self.address: tuple[str, int] | None = None

    async def start(self, host: str, port: int) -> None:
        """Raises OSError when the address is taken."""
        app = web.Application(middlewares=[_with_versions])
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._readiness)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.address = self._runner.addresses[0][:2]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "healthy", "service": self._service, "version": MUTT_VERSION})

    async def _readiness(self, _: web.Request) -> web.Response:
        """503 while something is wrong. A worker that stands still on purpose does its work: degraded, yet 200."""
        missing, paused, stopped = self._ready(), self._paused(), self._stopped()
        degraded = [f"paused ({', '.join(paused)})"] if paused else []
        degraded += [f"{what} stopped" for what in stopped]
        status = "not ready" if missing else f"degraded: {', '.join(degraded)}" if degraded else "ready"
        body = {"status": status, "service": self._service, "problems": missing, "paused": paused, "stopped": stopped}
        return web.json_response(body, status=503 if missing else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


@web.middleware
async def _with_versions(request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
    """Every answer names the API versions and carries a request id, errors included."""
    headers = {**version_headers(), "X-Request-ID": str(uuid.uuid4())}
    try:
        response: web.StreamResponse = await handler(request)  # type: ignore[misc]
    except web.HTTPException as error:
        error.headers.update(headers)
        raise
    response.headers.update(headers)
    return response
