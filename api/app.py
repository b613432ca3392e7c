"""create_app: the API. Its list of resources is the table of contents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api.audit_logs import AuditLogs
from api.auth import Authenticator
from api.circuit import Circuit
from api.compression import Compression
from api.dispatch import dispatch
from api.documentation import Documentation
from api.envelope import Envelope
from api.gate import Gate, Now
from api.health import Check, Health, Readiness
from api.hosts import Hosts
from api.maintenance import MaintenanceWindows
from api.metrics import ApiMetrics
from api.objectives import ObjectiveLevels
from api.problems import HANDLERS
from api.prometheus_source import POLICY, PROMETHEUS, PrometheusSource
from api.routes import Resource, flatten
from api.slo import Slo
from api.summary import MetricsSummary
from api.version import VersionInfo
from schemas.slo import objectives
from streams.core.reads import Reads
from streams.core.slo_reads import MaintenanceStore, PrometheusReads, SloReads


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the resources ask; one line for each."""

    metrics: ApiMetrics
    checks: Mapping[str, Check]
    reads: Reads
    slo: SloReads
    maintenance: MaintenanceStore
    prometheus: PrometheusReads | None
    """None where no PROMETHEUS_URL is set."""
    now: Now


def resources(ports: Ports) -> tuple[Resource, ...]:
    """All of them. None asks its port for anything before a request comes."""
    promised = objectives()
    circuit = Circuit(PROMETHEUS, POLICY, ports.metrics)
    prometheus = PrometheusSource(ports.prometheus, promised, circuit, ports.now)
    return (
        Health(Readiness(ports.checks), ports.metrics),
        AuditLogs(ports.reads, ports.metrics),
        Slo(ports.slo, promised, ports.metrics, ports.now),
        ObjectiveLevels(ports.slo, prometheus, promised, ports.metrics, ports.now),
        MaintenanceWindows(ports.maintenance, ports.now),
        MetricsSummary(ports.slo, ports.metrics, ports.now),
        VersionInfo(),
    )


def described() -> bytes:
    """All resources as OpenAPI 3.1, as docs/openapi.json keeps it; nothing is connected to anything."""
    nowhere: Any = None
    ports = Ports(**{field.name: nowhere for field in fields(Ports)} | {"metrics": ApiMetrics(), "checks": {}})
    return msgspec.json.format(Documentation(flatten(resources(ports))).document, indent=2) + b"\n"


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


ANY_ADDRESS = Hosts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Who gets in: by which key, by which name of this host, from which other sites."""

    authenticator: Authenticator
    hosts: Hosts = ANY_ADDRESS
    origins: tuple[str, ...] = ()
    """Web pages of these sites may ask from a browser (CORS)."""


def create_app(resources: Iterable[Resource], doors: Doors, metrics: ApiMetrics, *, now: Now = utc_now) -> Envelope:
    """The ASGI application of these resources; all of them come from `resources(ports)`."""
    table = Documentation(flatten(resources)).table
    app = Starlette(exception_handlers=HANDLERS, middleware=_middleware(doors.origins))
    app.router.redirect_slashes = False
    app.router.default = Gate(dispatch, doors.authenticator, doors.hosts, now)
    return Envelope(app, metrics, table)


_EXPOSED = ("Deprecation", "ETag", "Link", "Retry-After", "Sunset", "X-API-Version", "X-Correlation-ID", "X-Request-ID")


def _middleware(origins: tuple[str, ...]) -> list[Middleware]:
    """Outermost first."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=("*",),
        expose_headers=_EXPOSED,
    )
    return [*([cors] if origins else []), Middleware(Compression)]
