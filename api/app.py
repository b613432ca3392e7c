"""create_app: the API. Its list of routes is the table of contents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp

from api.audit_logs import AuditLogs
from api.envelope import Envelope, Gate, Now
from api.health import Check, Health, Readiness
from api.metrics import ApiMetrics
from api.problems import HANDLERS
from api.slo import Slo
from schemas.secrets import Secret
from streams.core.reads import Reads


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def create_app(
    reads: Reads,
    checks: Mapping[str, Check],
    *,
    key: Secret | None,
    now: Now = utc_now,
    metrics: ApiMetrics | None = None,
) -> ASGIApp:
    """The ASGI application. With `key`, everything below /api needs it; without, the port must not be reachable."""
    metrics = metrics or ApiMetrics()
    health = Health(Readiness(checks), metrics)
    routes = [
        Route("/health", health.health),
        Route("/ready", health.ready),
        Route("/metrics", health.metrics),
        Route("/api/v1/audit-logs", AuditLogs(reads, metrics).get),
        Route("/api/v1/slo", Slo(reads, metrics).get),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Gate, key=key, now=now)], exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    return Envelope(app, metrics, routes)
