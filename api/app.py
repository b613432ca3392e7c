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
from starlette.middleware.gzip import GZipMiddleware

from api.audit_logs import AuditLogs
from api.auth import Authenticator
from api.cursors import Cursors
from api.dispatch import dispatch
from api.documentation import Documentation
from api.door import Door
from api.envelope import Envelope
from api.events import Events
from api.gate import Gate, Now
from api.health import Check, Health, Readiness
from api.hosts import Hosts
from api.idempotency import Repeatable
from api.ingest import Ingest
from api.keys import ApiKeys
from api.metrics import ApiMetrics
from api.problems import HANDLERS
from api.routes import Resource, flatten
from api.slo import Slo
from streams.core.api_keys import Keys
from streams.core.idempotency import IdempotencyStore
from streams.core.reads import Reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the resources ask; one line for each."""

    metrics: ApiMetrics
    checks: Mapping[str, Check]
    reads: Reads
    door: Door
    keys: Keys
    answers: IdempotencyStore
    cursors: Cursors
    now: Now


def resources(ports: Ports) -> tuple[Resource, ...]:
    """All of them. None asks its port for anything before a request comes."""
    subjects: tuple[Resource, ...] = (
        Health(Readiness(ports.checks), ports.metrics),
        AuditLogs(ports.reads, ports.metrics),
        Slo(ports.reads, ports.metrics),
        Ingest(ports.door, ports.metrics),
        Events(ports.door, ports.metrics),
        ApiKeys(ports.keys, ports.cursors, ports.now),
    )
    return tuple(Repeatable(subject, ports.answers, ports.metrics) for subject in subjects)


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


LARGE = 1024
"""Bytes from which an answer is worth compressing."""

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
    return [*([cors] if origins else []), Middleware(GZipMiddleware, minimum_size=LARGE, compresslevel=6)]
