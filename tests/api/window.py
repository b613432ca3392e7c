"""The API on fakes: what the routes do without a server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.testclient import TestClient

from api.app import Doors, Ports, create_app, resources, some_ports
from api.auth import Authenticator, OneKey
from api.cursors import Cursors
from api.health import Check
from api.hosts import Hosts
from api.metrics import ApiMetrics
from api.routes import Resource
from schemas.secrets import Secret
from streams.core.reads import AuditEntry, AuditPage, AuditQuery, Reads
from tests.api.conformance import check_answer
from tests.fakes_keys import MemoryAnswers, MemoryKeys
from tests.fakes_slo import FakeMaintenance, FakeSlo

KEY = "k3y-of-the-test"
NOW = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


@dataclass
class FakeReads:
    """Implements the Reads port from memory; `fault` is raised by every question."""

    entries: list[AuditEntry] = field(default_factory=list)
    estimate: int | None = None
    fault: Exception | None = None
    asked: list[Any] = field(default_factory=list)

    async def audit_logs(self, query: AuditQuery) -> AuditPage:
        self._ask(query)
        page = tuple(self.entries[query.offset : query.offset + query.limit])
        return AuditPage(page, self.estimate or len(self.entries), self.estimate is not None)

    async def check_schema(self) -> None:
        self._ask("schema")

    def _ask(self, question: Any) -> None:
        self.asked.append(question)
        if self.fault is not None:
            raise self.fault


def entry(**changes: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "topic": "mutt.ingest.syslog",
        "partition": 3,
        "offset": 7,
        "time": dt.datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=dt.UTC),
        "hostname": "core-1",
        "rule_id": 5,
        "handling": "Page_only",
        "alerted": True,
        "raw": b'{"message":"link down"}',
    }
    return AuditEntry(**values | changes)


def window(
    reads: FakeReads | None = None,
    *,
    key: str | None = None,
    now: dt.datetime = NOW,
    checks: Mapping[str, Check] | None = None,
    headers: dict[str, str] | None = None,
) -> TestClient:
    """A client of an API with all resources."""
    metrics = ApiMetrics()
    ports = ports_of(metrics, reads=reads, checks=checks, now=now)
    one_key = OneKey(Secret(key) if key else None)
    return window_of(resources(ports), authenticator=one_key, now=now, headers=headers, metrics=metrics)


def ports_of(
    metrics: ApiMetrics | None = None,
    *,
    reads: Reads | None = None,
    checks: Mapping[str, Check] | None = None,
    now: dt.datetime = NOW,
    **ports: Any,
) -> Ports:
    """Ports in memory, except for those that are given; those of stores that only PostgreSQL has lead nowhere."""
    reads = reads or FakeReads()
    fakes: dict[str, Any] = {
        "metrics": metrics or ApiMetrics(),
        "checks": checks or {},
        "reads": reads,
        "slo": FakeSlo(fault=getattr(reads, "fault", None)),
        "maintenance": FakeMaintenance(now),
        "keys": MemoryKeys(),
        "answers": MemoryAnswers(),
        "cursors": Cursors(lambda: (b"key of the cursors",), lambda: now),
        "now": lambda: now,
    }
    return some_ports(**fakes | ports)


def window_of(
    resources: Iterable[Resource],
    *,
    authenticator: Authenticator | None = None,
    now: dt.datetime = NOW,
    headers: dict[str, str] | None = None,
    metrics: ApiMetrics | None = None,
    hosts: tuple[str, ...] = (),
    origins: tuple[str, ...] = (),
) -> TestClient:
    """A client of an API of these resources; errors of the app come as answers, as they do from a server."""
    doors = Doors(authenticator=authenticator or OneKey(None), hosts=Hosts(hosts), origins=origins)
    app = create_app(resources, doors, metrics or ApiMetrics(), now=lambda: now)
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False, headers=headers)
    client.event_hooks = {"response": [partial(check_answer, app.table)]}
    return client
