"""What the API is made of in one process: the adapters on its pool, and the ports and doors they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from secrets import token_bytes

import asyncpg

from api.app import Doors, Ports, utc_now
from api.circuit import Circuit
from api.console.app import WithConsole, create_console
from api.console.sessions import Sessions, session_keys
from api.cursors import Cursors
from api.envelope import Envelope
from api.guard import Guard
from api.guarded_reads import POLICY, POSTGRESQL, WAIT_S, WAITING, GuardedReads
from api.guarded_transactions import GuardedTransactions
from api.hosts import Hosts
from api.indicators import IndicatorWriter
from api.key_ring import KeyRing
from api.metrics import ApiMetrics
from api.pipeline import Pipeline
from api.turns import Turns
from api.upkeep import Upkeep
from schemas.secrets import LiveSecrets
from schemas.settings import Settings
from schemas.slo import Component
from streams.adapters.api_keys import KeyStore
from streams.adapters.audit_samples import AuditSamples
from streams.adapters.brokers import check_brokers
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.adapters.ended_sessions import PostgresEndedSessions
from streams.adapters.event_traces import EventTraces
from streams.adapters.host_lists import development_hosts, device_teams
from streams.adapters.idempotency import IdempotencyKeys
from streams.adapters.indicators import PostgresIndicators
from streams.adapters.ledger import LedgerReads
from streams.adapters.letter_changes import LetterChanges
from streams.adapters.letter_searches import LetterSearches
from streams.adapters.listening import OPEN, MetricsDoor
from streams.adapters.maintenance import PostgresMaintenance
from streams.adapters.overview import OverviewReads
from streams.adapters.prometheus import Prometheus
from streams.adapters.reads import PostgresReads
from streams.adapters.rehearsals import Rehearsals
from streams.adapters.replay_jobs import ReplayJobs
from streams.adapters.rule_store import RuleStore
from streams.adapters.rule_usage import RuleUsage
from streams.adapters.searches import PostgresSearches
from streams.adapters.slo import PostgresSlo
from streams.adapters.system import SystemReads
from streams.adapters.transactions import Transactions
from streams.adapters.unhandled import UnhandledReads
from streams.core.api_keys import derived_key
from streams.core.indicator_book import IndicatorBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What ports, doors and the work beside requests share."""

    metrics: ApiMetrics
    reads: GuardedReads
    transactions: GuardedTransactions
    keys: KeyStore
    ended: PostgresEndedSessions
    answers: IdempotencyKeys
    ring: KeyRing
    writer: IndicatorWriter
    peppers: LiveSecrets
    session_keys: Callable[[], tuple[bytes, ...]]
    """Seal the cookies of the console."""
    stopping: asyncio.Event
    """Set when the server is told to stop."""


def parts_on(pool: asyncpg.Pool, *, at_once: int, single: LiveSecrets, peppers: LiveSecrets) -> Parts:
    """On this pool of `at_once` connections; `single` is the one key of the secrets, or two."""
    book = IndicatorBook()
    metrics = ApiMetrics(
        judged=lambda good: book.count(Component.API, utc_now(), good=int(good), total=1),
        lost=lambda events: book.count(Component.INGESTOR, utc_now(), good=0, total=events),
    )
    guard = Guard(Circuit(POSTGRESQL, POLICY, metrics), Turns(at_once, waiting=WAITING, within_s=WAIT_S))
    transactions = GuardedTransactions(pool, guard)
    keys = KeyStore(transactions, peppers)
    return Parts(
        metrics=metrics,
        reads=GuardedReads(PostgresReads(pool), guard),
        transactions=transactions,
        keys=keys,
        ended=PostgresEndedSessions(transactions),
        answers=IdempotencyKeys(transactions),
        ring=KeyRing(keys, metrics, single=single, peppers=peppers, now=utc_now),
        writer=IndicatorWriter(book, PostgresIndicators(Transactions(pool))),
        peppers=peppers,
        session_keys=session_keys(own_keys(peppers, "console"), single),
        stopping=asyncio.Event(),
    )


def ports_of(parts: Parts, pipeline: Pipeline, settings: Settings, door: MetricsDoor = OPEN) -> Ports:
    transactions = parts.transactions
    return Ports(
        metrics=parts.metrics,
        checks={
            "postgresql": parts.reads.check_schema,
            "kafka": partial(check_brokers, pipeline.brokers),
        },
        reads=parts.reads,
        door=pipeline.door,
        searches=PostgresSearches(transactions),
        letters=LetterSearches(transactions),
        rehearsals=Rehearsals(transactions),
        changes=LetterChanges(transactions),
        jobs=ReplayJobs(transactions),
        runner=pipeline.runner,
        traces=EventTraces(transactions, pipeline.brokers),
        ledger=LedgerReads(transactions),
        lag=pipeline.lag,
        balance=pipeline.balance,
        overview=OverviewReads(transactions),
        slo=PostgresSlo(transactions),
        maintenance=PostgresMaintenance(transactions),
        prometheus=Prometheus(settings.prometheus_url) if settings.prometheus_url else None,
        rules=RuleStore(transactions),
        usage=RuleUsage(transactions),
        unhandled=UnhandledReads(transactions),
        hosts=development_hosts(transactions),
        teams=device_teams(transactions),
        config=ConfigStore(transactions),
        config_audit=ConfigAudit(transactions),
        samples=AuditSamples(transactions),
        keys=parts.keys,
        system=SystemReads(pipeline.pool, pipeline.brokers),
        answers=parts.answers,
        cursors=Cursors(own_keys(parts.peppers, "cursors"), utc_now),
        metrics_door=door,
        now=utc_now,
    )


def doors_of(parts: Parts, settings: Settings) -> Doors:
    return Doors(
        authenticator=parts.ring,
        hosts=Hosts((settings.host, *settings.hosts_allowed)),
        origins=settings.origins_allowed,
    )


def upkeep_of(parts: Parts) -> Upkeep:
    forgets = (parts.keys.forget_failures, parts.answers.forget, parts.ended.forget)
    return Upkeep(parts.keys, parts.ring.book, parts.ring.uses, forgets, hashes=parts.ring.hashes)


def console_of(parts: Parts, api: Envelope, settings: Settings) -> WithConsole:
    """The API with the console over it."""
    hosts = doors_of(parts, settings).hosts
    sessions = Sessions(parts.ring, parts.ended, parts.session_keys, utc_now)
    return WithConsole(api, create_console(api.table, sessions, hosts, parts.metrics, parts.stopping))


def own_keys(peppers: LiveSecrets, purpose: str) -> Callable[[], tuple[bytes, ...]]:
    """The same in all processes that share a pepper; without one, what they seal ends with this process."""
    own = token_bytes()
    return lambda: tuple(derived_key(pepper, purpose) for pepper in peppers()) or (own,)
