"""Remediation, put together: of all dead-letters workers the one that holds the lock acts, the others stand by."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import asyncpg
import structlog

from schemas.errors import StoreUnavailable
from schemas.settings import Settings
from streams import metrics
from streams.adapters.backlog import PostgresBacklog
from streams.adapters.broker_access import Brokers
from streams.adapters.config_watcher import ConfigWatcher
from streams.adapters.database import connect, create_pool
from streams.adapters.egress import way_of
from streams.adapters.faults import store_faults
from streams.adapters.letter_replays import RemediationReplays
from streams.adapters.locks import Lock, lock, lock_key
from streams.adapters.parked_letters import KafkaParkedOutbox
from streams.adapters.publisher import create_producer
from streams.adapters.receiver_probe import WebhookProbe
from streams.adapters.secrets import SecretSource
from streams.agents.remediate import TICK_S, Outside, Remediator
from streams.clock import SystemClock
from streams.core.remediation import Activity
from streams.tasks import Tasks, wait_for_start

log = structlog.get_logger()

LOCK = lock_key("remediation")
CONNECTIONS = 4
"""One each for remediation's lock, for the lock of the replay that runs, and for what is read and written meanwhile."""


class Remediation:
    """Everything that a dead-letters worker does beside reading mutt.dlq.

    Raises SettingsRefused when the receiver's address is not well formed.
    """

    def __init__(self, settings: Settings, secrets: SecretSource) -> None:
        self._settings = settings
        self._secrets = secrets
        self._clock = SystemClock()
        self._probe = WebhookProbe(way_of(settings), timeout_s=settings.webhook_timeout)
        self._parts = AsyncExitStack()
        self._acting: Remediator | None = None

    async def open(self, tasks: Tasks, brokers: Brokers) -> None:
        """Starts it in the background: whatever is away, the worker reads on."""
        settings = self._settings
        pool = await create_pool(settings, self._secrets, size=CONNECTIONS)
        self._parts.callback(pool.terminate)
        config = ConfigWatcher(pool, lambda: connect(settings, self._secrets))
        tasks.spawn(config.run(), "config")
        tasks.spawn(self._run(pool, config, brokers), "remediation")

    async def close(self) -> None:
        """After the tasks have ended."""
        await self._parts.aclose()

    @property
    def stopped(self) -> list[str]:
        return [f"remediation of {reason}" for reason in self._acting.stopped] if self._acting else []

    async def _run(self, pool: asyncpg.Pool, config: ConfigWatcher, brokers: Brokers) -> None:
        await config.first()
        producer = await wait_for_start(lambda: create_producer(brokers))
        self._parts.push_async_callback(producer.stop)
        outside = Outside(
            replays=RemediationReplays(pool, producer),
            parked=KafkaParkedOutbox(pool, producer),
            backlog=PostgresBacklog(pool),
            probe=self._probe,
        )
        while True:
            try:
                with store_faults():
                    async with lock(pool, LOCK) as held:
                        if held is not None:
                            await self._act(held, Remediator(outside, lambda: config.current, self._clock))
            except StoreUnavailable as fault:
                log.warning("waiting", service="postgresql", error=str(fault))
            await asyncio.sleep(TICK_S)

    async def _act(self, held: Lock, remediator: Remediator) -> None:
        log.info("remediation acts here")
        self._acting = remediator
        try:
            await remediator.run(held.holds, asyncio.sleep)
        finally:
            self._acting = None
            metrics.REMEDIATION_STATE.set(Activity.STANDBY)
        log.warning("remediation lost its lock; another instance may act")
