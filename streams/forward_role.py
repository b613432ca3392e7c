"""The forward worker: configuration, forwarder, receiver and PostgreSQL, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.errors import StoreUnavailable
from schemas.settings import Settings
from schemas.slo import Component, objectives
from schemas.topics import ALERTS, Topic
from streams import metrics
from streams.adapters.config_watcher import ConfigWatcher
from streams.adapters.database import STANDSTILL_S, connect, create_pool
from streams.adapters.deliveries import PostgresDeliveries
from streams.adapters.egress import way_of
from streams.adapters.listening import front_of
from streams.adapters.pause_board import PostgresPauseBoard
from streams.adapters.publisher import KafkaOutbox, create_producer
from streams.adapters.secrets import SecretSource
from streams.adapters.tracing import tracing
from streams.adapters.webhook import WebhookSink
from streams.agents.forward_alerts import Forwarder, forward_alerts
from streams.app import WorkerApp, end_process
from streams.clock import SystemClock
from streams.core.breaker import BreakerState
from streams.core.rate_limit import share_of
from streams.core.receivers.registry import receiver_named
from streams.driver import polled
from streams.health import HealthServer
from streams.pauses import PauseReason, Pauses
from streams.tasks import Tasks, wait_for_start

log = structlog.get_logger()

SAMPLE_EVERY_S = 1.0
CONNECTIONS = 4


class ForwardRole:
    """Implements Role: reads mutt.alerts.

    Raises SettingsRefused when the receiver, its address or the signing secret is not well formed.
    """

    name = "forward"
    topics: tuple[Topic, ...] = (ALERTS,)

    def __init__(self, settings: Settings, secrets: SecretSource) -> None:
        self._settings = settings
        self._secrets = secrets
        self._clock = SystemClock()
        self._tracing = tracing(settings, "mutt-forward")
        self._receiver = receiver_named(settings.receiver)
        self._sink = WebhookSink(
            way_of(settings),
            secrets,
            self._clock,
            timeout_s=settings.webhook_timeout,
            receiver=self._receiver,
        )
        self._pauses = Pauses(self._clock)
        self._tasks = Tasks(end_process)
        self._health = HealthServer(
            "forward",
            metrics.REGISTRY,
            self._not_ready,
            self._paused,
            front=front_of(settings),
        )
        self._opened_parts = AsyncExitStack()
        self._config: ConfigWatcher
        self._forwarder: Forwarder | None = None
        self._assigned: list[tuple[str, int]] = []
        self._reconciling = False
        self._app: WorkerApp
        self._partitions = ALERTS.partitions

    async def open(self, app: WorkerApp) -> None:
        settings, parts, self._app = self._settings, self._opened_parts, app
        await self._health.start(settings.host, settings.forward_port)
        parts.push_async_callback(self._health.close)
        parts.push_async_callback(self._tracing.close)
        pool = await create_pool(settings, self._secrets, size=CONNECTIONS, standstill_s=STANDSTILL_S)
        parts.callback(pool.terminate)
        parts.push_async_callback(self._tasks.close)
        self._config = ConfigWatcher(pool, lambda: connect(settings, self._secrets))
        self._tasks.spawn(self._config.run(), "config")
        await self._config.first()
        producer = await wait_for_start(lambda: create_producer(app.brokers))
        parts.push_async_callback(producer.stop)
        await parts.enter_async_context(self._sink)
        self._forward(pool, producer)

    def _forward(self, pool: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
        deliveries = PostgresDeliveries(pool)
        self._forwarder = Forwarder(
            sink=self._tracing.sink(self._sink),
            receiver=self._receiver,
            store=deliveries,
            outbox=KafkaOutbox(pool, producer),
            config=lambda: self._config.current,
            clock=self._clock,
            on_time_s=objectives()[Component.ALERT_LATENCY].within_s,
            on_death=end_process,
            on_breaker=lambda _: self._hold_back(),
        )
        self._tasks.spawn(self._forwarder.run(), "deliveries")
        self._tasks.spawn(self._pauses.tell_forever(PostgresPauseBoard(pool)), "pause-board")
        self._tasks.spawn(self._show_state(deliveries, self._forwarder), "gauges")
        self._tasks.spawn(self._follow_topic(producer, self._forwarder), "share")

    async def work(self, stream: Any) -> None:
        await forward_alerts(stream, self._opened, polled)

    def assigned(self, partitions: list[tuple[str, int]]) -> None:
        self._assigned = partitions
        metrics.PARTITIONS_ASSIGNED.set(len(partitions))
        self._pauses.drop_all()
        if not self._reconciling:
            self._reconciling = True
            self._tasks.spawn(self._pauses.reconcile_forever(self._app.batch_consumer), "pauses")
        self._opened.assign([partition for _, partition in partitions], share=self._share())
        self._hold_back()

    def revoked(self) -> None:
        self._assigned = []
        metrics.PARTITIONS_ASSIGNED.set(0)
        self._opened.revoke_all()
        self._pauses.drop_all()

    @property
    def work_in_hand(self) -> Mapping[str, int]:
        return self._opened.work

    @property
    def paused(self) -> frozenset[tuple[str, int]]:
        return self._pauses.wanted

    async def drain(self, deadline_s: float) -> bool:
        return await self._opened.drain(deadline_s)

    async def close(self) -> None:
        """Ends what was opened, last first; the worker may be told to stop while it still waits for a server."""
        if self._forwarder is not None:
            self._forwarder.revoke_all()
        await self._tasks.close()
        await self._opened_parts.aclose()

    @property
    def _opened(self) -> Forwarder:
        assert self._forwarder is not None
        return self._forwarder

    def _not_ready(self) -> dict[str, str]:
        if self._forwarder is None:
            return {"configuration": "not loaded yet"}
        problems = {f"halted {ALERTS.name}:{partition}": why for partition, why in self._forwarder.halted.items()}
        if why := self._forwarder.stuck:
            problems["postgresql"] = why
        return problems

    def _paused(self) -> list[str]:
        """An open breaker is the receiver's trouble, not ours: the worker waits as it should, and stays ready."""
        return self._pauses.among((PauseReason.BREAKER,))

    def _hold_back(self) -> None:
        """Takes in nothing more while the breaker is open; half open there must be something to probe with."""
        opened = self._opened.gate.breaker_state is BreakerState.OPEN
        for partition in self._assigned:
            (self._pauses.want if opened else self._pauses.release)(partition, PauseReason.BREAKER)

    def _share(self) -> float:
        share = share_of(len(self._assigned), self._partitions)
        metrics.MOOG_RATE_SHARE.set(share)
        return share

    async def _follow_topic(self, producer: AIOKafkaProducer, forwarder: Forwarder) -> None:
        """A topic that was given more partitions than it began with changes everybody's share."""
        while True:
            try:
                self._partitions = len(await producer.partitions_for(ALERTS.name))
                forwarder.gate.share = self._share()
            except KafkaError as fault:
                log.debug("partitions cannot be counted", topic=ALERTS.name, error=str(fault))
            await asyncio.sleep(SAMPLE_EVERY_S)

    async def _show_state(self, deliveries: PostgresDeliveries, forwarder: Forwarder) -> None:
        last = self._clock.monotonic()
        while True:
            metrics.RECORDS_HELD.set(forwarder.hold.records)
            metrics.BYTES_HELD.set(forwarder.hold.bytes)
            for partition in forwarder.halted:
                self._pauses.want((ALERTS.name, partition), PauseReason.HALTED)
            now = self._clock.monotonic()
            self._pauses.measure(now - last)
            last = now
            try:
                metrics.ALERTS_PENDING.set(await deliveries.pending())
            except StoreUnavailable as fault:
                log.debug("pending alerts cannot be counted", error=str(fault))
            await asyncio.sleep(SAMPLE_EVERY_S)
