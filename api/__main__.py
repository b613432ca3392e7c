"""`python -m api`: serves the API until SIGTERM or SIGINT. Settings and secrets come from the environment."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import sys
from functools import partial
from secrets import token_bytes
from types import FrameType
from typing import NoReturn

import structlog
import uvicorn

from api.app import Doors, Ports, create_app, resources, utc_now
from api.beside import beside
from api.circuit import Circuit
from api.cursors import Cursors
from api.envelope import Envelope
from api.guard import Guard
from api.guarded_reads import POLICY, POSTGRESQL, WAIT_S, WAITING, GuardedReads
from api.guarded_transactions import GuardedTransactions
from api.health import Check
from api.hosts import Hosts
from api.indicators import IndicatorWriter
from api.key_ring import KeyRing
from api.metrics import ApiMetrics
from api.pipeline import Pipeline
from api.protocol import MOST_READ, Protocol
from api.turns import Turns
from api.upkeep import Upkeep
from schemas.errors import SettingsRefused
from schemas.secrets import Secret
from schemas.settings import Settings
from schemas.slo import Component
from streams import logs
from streams.adapters.api_keys import KeyStore
from streams.adapters.audit_samples import AuditSamples
from streams.adapters.brokers import check_brokers
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.adapters.database import create_pool
from streams.adapters.event_traces import EventTraces
from streams.adapters.host_lists import development_hosts, device_teams
from streams.adapters.idempotency import IdempotencyKeys
from streams.adapters.indicators import PostgresIndicators
from streams.adapters.ledger import LedgerReads
from streams.adapters.letter_searches import LetterSearches
from streams.adapters.maintenance import PostgresMaintenance
from streams.adapters.prometheus import Prometheus
from streams.adapters.reads import PostgresReads
from streams.adapters.rehearsals import Rehearsals
from streams.adapters.replay_jobs import ReplayJobs
from streams.adapters.rule_store import RuleStore
from streams.adapters.searches import PostgresSearches
from streams.adapters.secrets import API_KEY, API_PEPPER, FileSecrets, SecretSource, pepper_of
from streams.adapters.slo import PostgresSlo
from streams.adapters.transactions import Transactions
from streams.core.api_keys import derived_key
from streams.core.indicator_book import IndicatorBook

log = structlog.get_logger()

CONNECTIONS = 8
SHUTDOWN_S = 5
"""Seconds that requests in hand get to finish after SIGTERM."""
IDLE_S = 5

EXIT_CONFIGURATION = 78
EXIT_UNAVAILABLE = 69


def main() -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        settings = Settings.from_env(os.environ)
        secrets = FileSecrets(settings.secrets_dir)
        key = api_key(secrets, settings.host)
    except SettingsRefused as refused:
        _fail(EXIT_CONFIGURATION, str(refused))
    try:
        listening = listen(settings.host, settings.api_port)
    except OSError as error:
        _fail(EXIT_UNAVAILABLE, f"cannot listen on {settings.host}:{settings.api_port}: {error.strerror or error}")
    logs.configure(settings.log_level, "api")
    asyncio.run(serve(settings, secrets, key, listening))
    sys.exit(0)


def api_key(secrets: SecretSource, host: str) -> Secret | None:
    """The one key of the secrets. Raises SettingsRefused when others could reach an API that asks for no key."""
    key, pepper = secrets.get(API_KEY), pepper_of(secrets)
    if key is not None and not key:
        raise SettingsRefused(f"the secret {API_KEY} is empty; write a key into it or remove it")
    if key is None and pepper is None and not is_loopback(host):
        wanted = f"the secret {API_PEPPER} (for stored keys) or {API_KEY}"
        raise SettingsRefused(f"MUTT_HOST={host!r} is no loopback address, so the API needs {wanted}")
    return key


def is_loopback(host: str) -> bool:
    """Only addresses count, and the name localhost: any other name may mean something else tomorrow."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address is taken or not ours."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)


async def serve(settings: Settings, secrets: SecretSource, key: Secret | None, listening: socket.socket) -> None:
    """Answers on the socket until a signal comes, then finishes what is in hand."""
    pool = await create_pool(settings, secrets, size=CONNECTIONS)
    book = IndicatorBook()
    metrics = ApiMetrics(
        judged=lambda good: book.count(Component.API, utc_now(), good=int(good), total=1),
        lost=lambda events: book.count(Component.INGESTOR, utc_now(), good=0, total=events),
    )
    pepper = pepper_of(secrets)
    turns = Turns(CONNECTIONS, waiting=WAITING, within_s=WAIT_S)
    guard = Guard(Circuit(POSTGRESQL, POLICY, metrics), turns)
    reads = GuardedReads(PostgresReads(pool), guard)
    transactions = GuardedTransactions(pool, guard)
    keys, answers = KeyStore(transactions, pepper), IdempotencyKeys(transactions)
    ring = KeyRing(keys, metrics, single=key, pepper=pepper, now=utc_now)
    checks: dict[str, Check] = {
        "postgresql": reads.check_schema,
        "kafka": partial(check_brokers, settings.kafka_bootstrap),
    }
    pipeline = await Pipeline.create(settings, secrets, metrics, transactions, utc_now)
    ports = Ports(
        metrics=metrics,
        door=pipeline.door,
        searches=PostgresSearches(transactions),
        letters=LetterSearches(transactions),
        rehearsals=Rehearsals(transactions),
        jobs=ReplayJobs(transactions),
        runner=pipeline.runner,
        traces=EventTraces(transactions, settings.kafka_bootstrap),
        ledger=LedgerReads(transactions),
        balance=pipeline.balance,
        checks=checks,
        reads=reads,
        rules=RuleStore(transactions),
        hosts=development_hosts(transactions),
        teams=device_teams(transactions),
        config=ConfigStore(transactions),
        config_audit=ConfigAudit(transactions),
        samples=AuditSamples(transactions),
        keys=keys,
        answers=answers,
        cursors=Cursors(cursor_key(pepper), utc_now),
        slo=PostgresSlo(transactions),
        maintenance=PostgresMaintenance(transactions),
        prometheus=Prometheus(settings.prometheus_url) if settings.prometheus_url else None,
        now=utc_now,
    )
    doors = Doors(
        authenticator=ring,
        hosts=Hosts((settings.host, *settings.hosts_allowed)),
        origins=settings.origins_allowed,
    )
    upkeep = Upkeep(keys, ring.book, ring.uses, (keys.forget_failures, answers.forget))
    writer = IndicatorWriter(book, PostgresIndicators(Transactions(pool)))
    host, port = listening.getsockname()[:2]
    log.info("listening", host=host, port=port, key_needed=not (key is None and pepper is None))
    try:
        async with (
            beside("upkeep", upkeep.run, last=upkeep.write),
            beside("indicators", writer.run, last=writer.write),
            pipeline.running(),
        ):
            await uvicorn.Server(served(create_app(resources(ports), doors, metrics))).serve(sockets=[listening])
    finally:
        pool.terminate()


def served(app: Envelope) -> uvicorn.Config:
    """How uvicorn serves it: HTTP/1.1 alone, bounded in size and time, believing no proxy."""
    return uvicorn.Config(
        app,
        http=Protocol,
        h11_max_incomplete_event_size=MOST_READ,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


def cursor_key(pepper: Secret | None) -> bytes:
    """The same in all processes that share a pepper; without one, cursors end with this process."""
    return derived_key(pepper, "cursors") if pepper is not None else token_bytes()


def _leave(_: int, __: FrameType | None) -> NoReturn:
    """Before the server runs, and once it has stopped: a signal is a wish, not a failure."""
    sys.exit(0)


def _fail(code: int, message: str) -> NoReturn:
    sys.stderr.write(f"mutt: {message}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
