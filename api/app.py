"""create_app: the API. Its list of resources is the table of contents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from api.answering import Answering
from api.audit_logs import AuditLogs
from api.audited_events import AuditedEvents
from api.auth import Authenticator
from api.balance import Balance
from api.circuit import Circuit
from api.config import Config
from api.config_audit import ConfigAuditTrail
from api.config_v1 import ConfigOfV1
from api.cursors import Cursors
from api.dead_letters import DeadLetters
from api.deliveries import Deliveries
from api.dev_hosts import DevHosts
from api.dispatch import dispatch
from api.documentation import Documentation
from api.door import Door
from api.envelope import Envelope
from api.event_trace import EventTracing
from api.events import Events
from api.gate import Gate, Now
from api.health import Check, Health, Readiness
from api.hosts import Hosts
from api.idempotency import Repeatable
from api.ingest import Ingest
from api.jobs import Jobs
from api.keys import ApiKeys
from api.lag import LagTrend
from api.ledger import LedgerOfPartitions
from api.letter_changes import LetterHand
from api.letter_replays import LetterReplays
from api.maintenance import MaintenanceWindows
from api.metrics import ApiMetrics
from api.objectives import ObjectiveLevels
from api.overview import overview_of_all
from api.pattern_guard import PatternGuard
from api.prometheus_source import POLICY, PROMETHEUS, PrometheusSource
from api.routes import Resource, flatten
from api.rule_check import RuleCheck
from api.rule_dry_run import RuleDryRun
from api.rule_files import RuleFiles
from api.rule_usage import RuleUsages
from api.rules import Rules
from api.rules_v1 import RulesV1
from api.slo import Slo
from api.summary import MetricsSummary
from api.system import system_of_all
from api.teams import Teams
from api.unhandled import UnhandledSignatures
from api.version import VersionInfo
from schemas.slo import objectives
from streams.adapters.audit_samples import AuditSamples
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.adapters.event_traces import EventTraces
from streams.adapters.host_lists import HostList
from streams.adapters.ledger import LedgerReads
from streams.adapters.letter_changes import LetterChanges
from streams.adapters.letter_searches import LetterSearches
from streams.adapters.listening import OPEN, MetricsDoor
from streams.adapters.overview import OverviewReads
from streams.adapters.rehearsals import Rehearsals
from streams.adapters.replay_jobs import ReplayJobs
from streams.adapters.replay_runner import ReplayRunner
from streams.adapters.rule_store import RuleStore
from streams.adapters.rule_usage import RuleUsage
from streams.adapters.system import SystemReads
from streams.adapters.unhandled import UnhandledReads
from streams.core.api_keys import Keys
from streams.core.idempotency import IdempotencyStore
from streams.core.reads import Reads
from streams.core.searches import Searches
from streams.core.slo_reads import MaintenanceStore, PrometheusReads, SloReads


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the resources ask; one line for each."""

    metrics: ApiMetrics
    checks: Mapping[str, Check]
    reads: Reads
    door: Door
    searches: Searches
    letters: LetterSearches
    rehearsals: Rehearsals
    changes: LetterChanges
    jobs: ReplayJobs
    runner: ReplayRunner
    traces: EventTraces
    ledger: LedgerReads
    overview: OverviewReads
    lag: LagTrend
    balance: Balance
    slo: SloReads
    maintenance: MaintenanceStore
    prometheus: PrometheusReads | None
    """None where no PROMETHEUS_URL is set."""
    rules: RuleStore
    usage: RuleUsage
    unhandled: UnhandledReads
    hosts: HostList
    teams: HostList
    config: ConfigStore
    config_audit: ConfigAudit
    samples: AuditSamples
    keys: Keys
    system: SystemReads
    answers: IdempotencyStore
    cursors: Cursors
    metrics_door: MetricsDoor
    now: Now


def resources(ports: Ports) -> tuple[Resource, ...]:
    """All of them. None asks its port for anything before a request comes."""
    metrics, cursors = ports.metrics, ports.cursors
    patterns = PatternGuard()
    promised = objectives()
    circuit = Circuit(PROMETHEUS, POLICY, metrics)
    prometheus = PrometheusSource(ports.prometheus, promised, circuit, ports.now)
    subjects: tuple[Resource, ...] = (
        Health(Readiness(ports.checks), metrics, ports.metrics_door),
        AuditLogs(ports.reads, metrics),
        Slo(ports.slo, promised, metrics, ports.now),
        ObjectiveLevels(ports.slo, prometheus, promised, metrics, ports.now),
        MaintenanceWindows(ports.maintenance, ports.now),
        overview_of_all(ports.overview, ports.lag, metrics, ports.now),
        MetricsSummary(ports.slo, metrics, ports.now),
        VersionInfo(),
        Rules(ports.rules, patterns, cursors, metrics),
        RuleFiles(ports.rules, patterns, metrics),
        RuleDryRun(ports.rules, ports.samples, patterns, metrics),
        RuleCheck(patterns),
        RuleUsages(ports.usage, ports.rules, metrics, ports.now),
        RulesV1(ports.rules, patterns, metrics),
        DevHosts(ports.hosts, cursors, metrics),
        Teams(ports.teams, cursors, metrics),
        Config(ports.config, ports.config_audit, cursors, metrics),
        ConfigOfV1(ports.config, ports.config_audit, metrics),
        ConfigAuditTrail(ports.config_audit, cursors, metrics),
        Ingest(ports.door, metrics),
        Events(ports.door, metrics),
        EventTracing(ports.traces, metrics),
        AuditedEvents(ports.searches, cursors, metrics),
        UnhandledSignatures(ports.unhandled, cursors, metrics),
        Deliveries(ports.searches, cursors, metrics),
        DeadLetters(ports.letters, cursors, metrics),
        LetterReplays(ports.rehearsals, ports.jobs, ports.runner, metrics),
        LetterHand(ports.changes, metrics),
        Jobs(ports.jobs, cursors, metrics),
        LedgerOfPartitions(ports.ledger, ports.balance, cursors, metrics),
        ApiKeys(ports.keys, cursors, ports.now),
        system_of_all(ports.system, metrics, ports.now),
    )
    return tuple(Repeatable(subject, ports.answers, ports.metrics) for subject in subjects)


def described() -> bytes:
    """All resources as OpenAPI 3.1, as docs/openapi.json keeps it; nothing is connected to anything."""
    ports = some_ports(metrics=ApiMetrics(), checks={})
    return msgspec.json.format(Documentation(flatten(resources(ports))).document, indent=2) + b"\n"


def some_ports(**given: Any) -> Ports:
    """Ports of which only these lead anywhere."""
    nowhere: dict[str, Any] = dict.fromkeys(field.name for field in fields(Ports))
    return Ports(**nowhere | {"metrics_door": OPEN} | given)


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
    app: ASGIApp = Answering(Gate(dispatch, doors.authenticator, doors.hosts, now))
    if doors.origins:
        app = _open_to(doors.origins, app)
    return Envelope(app, metrics, table)


_EXPOSED = (
    "Deprecation",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Retry-After",
    "Sunset",
    "X-API-Version",
    "X-Correlation-ID",
    "X-Request-ID",
)


def _open_to(origins: tuple[str, ...], app: ASGIApp) -> CORSMiddleware:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=("*",),
        expose_headers=_EXPOSED,
    )
