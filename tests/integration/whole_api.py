"""The whole API over the real database, without a socket between."""

from __future__ import annotations

from api.app import Doors, create_app, resources, some_ports, utc_now
from api.auth import OneKey
from api.balance import Balance
from api.cursors import Cursors
from api.envelope import Envelope
from api.lag import LagTrend
from api.metrics import ApiMetrics
from streams.adapters.api_keys import KeyStore
from streams.adapters.audit_samples import AuditSamples
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.adapters.event_traces import EventTraces
from streams.adapters.host_lists import development_hosts, device_teams
from streams.adapters.idempotency import IdempotencyKeys
from streams.adapters.ledger import LedgerReads
from streams.adapters.ledger_check import Books
from streams.adapters.letter_changes import LetterChanges
from streams.adapters.letter_searches import LetterSearches
from streams.adapters.maintenance import PostgresMaintenance
from streams.adapters.overview import OverviewReads
from streams.adapters.rehearsals import Rehearsals
from streams.adapters.replay_jobs import ReplayJobs
from streams.adapters.replay_runner import ReplayRunner
from streams.adapters.rule_store import RuleStore
from streams.adapters.rule_usage import RuleUsage
from streams.adapters.searches import PostgresSearches
from streams.adapters.slo import PostgresSlo
from streams.adapters.system import SystemReads
from streams.adapters.transactions import Transactions
from streams.adapters.unhandled import UnhandledReads
from tests.fakes_keys import PEPPER
from tests.integration.conftest import Database

NOWHERE = "127.0.0.1:1"
"""No broker: what is asked of Kafka is told to be away."""


def api_on(database: Database) -> tuple[Envelope, ApiMetrics]:
    transactions = Transactions(database.pool)

    async def no_lag() -> int:
        return 0

    async def check() -> Books:
        return Books([], [], [])

    ports = some_ports(
        metrics=ApiMetrics(),
        checks={},
        answers=IdempotencyKeys(transactions),
        searches=PostgresSearches(transactions),
        letters=LetterSearches(transactions),
        rehearsals=Rehearsals(transactions),
        changes=LetterChanges(transactions),
        jobs=ReplayJobs(transactions),
        runner=ReplayRunner(database.pool, NOWHERE),
        traces=EventTraces(transactions, NOWHERE),
        ledger=LedgerReads(transactions),
        overview=OverviewReads(transactions),
        lag=LagTrend(no_lag, utc_now),
        balance=Balance(check, utc_now),
        slo=PostgresSlo(transactions),
        maintenance=PostgresMaintenance(transactions),
        rules=RuleStore(transactions),
        usage=RuleUsage(transactions),
        unhandled=UnhandledReads(transactions),
        hosts=development_hosts(transactions),
        teams=device_teams(transactions),
        config=ConfigStore(transactions),
        config_audit=ConfigAudit(transactions),
        samples=AuditSamples(transactions),
        keys=KeyStore(transactions, lambda: (PEPPER,)),
        system=SystemReads(database.pool, NOWHERE),
        cursors=Cursors(lambda: (b"key of the cursors",), utc_now),
        now=utc_now,
    )
    return create_app(resources(ports), Doors(authenticator=OneKey(None)), ports.metrics), ports.metrics
