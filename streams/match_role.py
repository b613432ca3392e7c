"""The match worker: rules, lanes, pauses and PostgreSQL, put together."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from faust.types.tuples import TP

from schemas.config import DynamicConfig
from schemas.errors import BrokerUnavailable, StoreUnavailable, words
from schemas.settings import Settings
from schemas.topics import INGEST, Topic
from streams import crash, metrics
from streams.adapters.backlog import PostgresBacklog
from streams.adapters.batches import PostgresBatchStore, refused_offset
from streams.adapters.database import STANDSTILL_S, connect, create_pool
from streams.adapters.listening import front_of
from streams.adapters.pause_board import PostgresPauseBoard
from streams.adapters.publisher import KafkaOutbox, create_producer
from streams.adapters.rule_watcher import RuleWatcher
from streams.adapters.rules import PostgresRuleSource
from streams.adapters.secrets import SecretSource
from streams.adapters.tracing import tracing
from streams.agents.match_events import match_events
from streams.agents.match_lane import Matching
from streams.app import WorkerApp, end_process
from streams.clock import SystemClock
from streams.core.matching import Knowledge
from streams.core.ports import OutboxPublisher
from streams.driver import BatchConsumer, polled
from streams.health import HealthServer
from streams.intake import Intake
from streams.lanes import Caps, Lanes
from streams.pauses import PauseReason, Pauses
from streams.tasks import Tasks, wait_for_start

log = structlog.get_logger()

GAUGES_EVERY_S = 1.0

LAST_MARKS_S = 1.0
"""How long a worker that stops tries to mark what it published last."""


class ConsumerLog:
    """Implements the PartitionLog port on the batch driver's consumer."""

    def __init__(self, consumer: Callable[[], BatchConsumer]) -> None:
        self._consumer = consumer

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        try:
            return await self._consumer().log_bounds(TP(topic, partition))
        except (KafkaError, TimeoutError) as error:
            raise BrokerUnavailable(f"Kafka: {words(error)}") from error

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self._consumer().request_seek(TP(topic, partition), offset)


class MatchRole:
    """Implements Role: reads the ingest topics."""

    name = "match"
    topics: tuple[Topic, ...] = INGEST

    def __init__(self, settings: Settings, secrets: SecretSource) -> None:
        self._settings = settings
        self._secrets = secrets
        self._clock = SystemClock()
        self._tracing = tracing(settings, "mutt-match")
        self._pauses = Pauses(self._clock)
        self._tasks = Tasks(end_process)
        self._health = HealthServer(
            "match",
            metrics.REGISTRY,
            self._not_ready,
            self._paused,
            front=front_of(settings),
        )
        self._parts = AsyncExitStack()
        self._assigned: list[tuple[str, int]] = []
        self._reconciling = False
        self._app: WorkerApp
        self._watcher: RuleWatcher
        self._intake: Intake
        self._lanes: Lanes
        self._outbox: OutboxPublisher

    async def open(self, app: WorkerApp) -> None:
        settings, parts, self._app = self._settings, self._parts, app
        await self._health.start(settings.host, settings.match_port)
        parts.push_async_callback(self._health.close)
        parts.push_async_callback(self._tracing.close)
        pool = await create_pool(
            settings, self._secrets, size=settings.transactions + 6, stateless=True, standstill_s=STANDSTILL_S
        )
        parts.callback(pool.terminate)
        parts.push_async_callback(self._tasks.close)
        self._watcher = RuleWatcher(
            PostgresRuleSource(pool), lambda: connect(settings, self._secrets), on_change=_show_rules
        )
        self._tasks.spawn(self._watcher.run(), "rules")
        await self._watcher.first()
        producer = await wait_for_start(lambda: create_producer(app.brokers))
        parts.push_async_callback(producer.stop)
        await self._take_in(pool)
        self._match(pool, producer, app)
        parts.push_async_callback(self._lanes.close)
        self._tasks.spawn(self._show_state(), "gauges")
        self._tasks.spawn(self._pauses.tell_forever(PostgresPauseBoard(pool)), "pause-board")
        _settle_memory()

    async def _take_in(self, pool: asyncpg.Pool) -> None:
        self._intake = Intake(
            reader=PostgresBacklog(pool),
            pauses=self._pauses,
            config=self._config,
            clock=self._clock,
            fleet_partitions=sum(topic.partitions for topic in INGEST),
        )
        self._tasks.spawn(self._intake.run(), "intake")
        await self._intake.first()

    def _match(self, pool: asyncpg.Pool, producer: AIOKafkaProducer, app: WorkerApp) -> None:
        settings = self._settings
        outbox = KafkaOutbox(pool, producer)
        self._outbox = self._tracing.outbox(outbox, self._clock)
        self._tasks.spawn(outbox.run(), "published-marks")
        matching = Matching(
            store=PostgresBatchStore(pool),
            outbox=self._outbox,
            log_position=ConsumerLog(lambda: app.batch_consumer),
            knowledge=self._knowledge,
            pauses=self._pauses,
            intake=self._intake,
            clock=self._clock,
            refused_offset=refused_offset,
            transactions=settings.transactions,
        )
        caps = Caps(settings.batch_records, settings.held_records)
        self._lanes = Lanes(matching.lane, caps=caps, on_death=end_process)

    async def work(self, stream: Any) -> None:
        await match_events(stream, self._lanes, polled)

    def assigned(self, partitions: list[tuple[str, int]]) -> None:
        self._assigned = partitions
        self._pauses.drop_all()
        if not self._reconciling:
            self._reconciling = True
            self._tasks.spawn(self._pauses.reconcile_forever(self._app.batch_consumer), "pauses")
        self._intake.assign(partitions)
        self._lanes.assign(partitions)
        crash.here("assigned")

    def revoked(self) -> None:
        self._assigned = []
        self._lanes.revoke_all()
        self._intake.assign([])
        self._pauses.drop_all()

    @property
    def work_in_hand(self) -> Mapping[str, int]:
        return self._lanes.work

    @property
    def paused(self) -> frozenset[tuple[str, int]]:
        return self._pauses.wanted

    async def drain(self, deadline_s: float) -> bool:
        drained = await self._lanes.drain(deadline_s)
        with suppress(StoreUnavailable, TimeoutError):  # a successor publishes again what is not marked
            async with asyncio.timeout(LAST_MARKS_S):
                await self._outbox.flush()
        return drained

    async def close(self) -> None:
        """Ends what was opened, last first: lanes before the pool they work with."""
        await self._parts.aclose()

    def _knowledge(self) -> Knowledge:
        assert self._watcher.current is not None
        return self._watcher.current

    def _config(self) -> DynamicConfig:
        return self._knowledge().rule_set.config

    def _not_ready(self) -> dict[str, str]:
        problems = {}
        if getattr(self, "_watcher", None) is None or self._watcher.current is None:
            problems["rules"] = "not loaded yet"
        if halted := self._pauses.count(PauseReason.HALTED):
            problems["halted"] = f"{halted} partitions; see: mutt ledger show"
        if waiting := self._pauses.count(PauseReason.SINK):
            problems["sink"] = f"{waiting} partitions wait for PostgreSQL or Kafka"
        return problems

    def _paused(self) -> list[str]:
        return self._pauses.among((PauseReason.BACKLOG, PauseReason.OPERATOR))

    async def _show_state(self) -> None:
        last = self._clock.monotonic()
        while True:
            metrics.RECORDS_HELD.set(self._lanes.held_records)
            metrics.BYTES_HELD.set(self._lanes.held_bytes)
            metrics.PARTITIONS_ASSIGNED.set(len(self._assigned))
            now = self._clock.monotonic()
            self._pauses.measure(now - last)
            last = now
            await asyncio.sleep(GAUGES_EVERY_S)


def _show_rules(knowledge: Knowledge) -> None:
    rules = knowledge.rule_set
    metrics.RULESET_VERSION.set(rules.version)
    metrics.CACHE_RULES.set(len(rules.rules))
    metrics.CACHE_DEV_HOSTS.set(len(rules.development_hosts))
    metrics.CACHE_TEAMS.set(len(rules.device_teams))
    log.info("rules in force", version=rules.version, rules=len(rules.rules), digest=rules.digest[:12])


def _settle_memory() -> None:
    """What lives as long as the process is looked at no more by the collector; the rest is short-lived."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
