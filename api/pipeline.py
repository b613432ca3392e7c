"""Pipeline: what the API holds towards Kafka and beside its requests: made together, kept running, ended together."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg

from api.balance import Balance
from api.beside import Task, beside
from api.door import Depth, Door
from api.guarded_transactions import GuardedTransactions
from api.lag import LagTrend
from api.metrics import ApiMetrics
from schemas.settings import Settings
from streams.adapters.broker_access import BrokerAccess, Brokers
from streams.adapters.config_watcher import ConfigWatcher
from streams.adapters.database import connect, create_pool
from streams.adapters.event_publisher import KafkaEvents
from streams.adapters.faults import store_faults
from streams.adapters.ledger_check import Books, checked_books
from streams.adapters.replay_runner import ReplayRunner
from streams.adapters.secrets import SecretSource
from streams.adapters.tracing import Tracing, tracing
from streams.adapters.undecided import LogsAndProgress

CONNECTIONS = 8
"""Beside those that requests use: configuration, and jobs with their locks."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Ports of the resources that reach beyond one question to the database."""

    brokers: Brokers
    pool: asyncpg.Pool
    """For what runs beside requests."""
    door: Door
    runner: ReplayRunner
    balance: Balance
    lag: LagTrend
    tasks: tuple[Task, ...]
    """Each runs until it is cancelled."""
    tracing: Tracing

    @classmethod
    async def create(
        cls,
        settings: Settings,
        secrets: SecretSource,
        metrics: ApiMetrics,
        transactions: GuardedTransactions,
        now: Callable[[], dt.datetime],
    ) -> Pipeline:
        """Connects to nothing yet."""
        pool = await create_pool(settings, secrets, size=CONNECTIONS)
        config = ConfigWatcher(pool, partial(connect, settings, secrets))
        brokers = BrokerAccess(settings, secrets)
        events = KafkaEvents(brokers)
        depth = Depth(LogsAndProgress(brokers, transactions), metrics)
        traced = tracing(settings, "mutt-api")
        door = Door(traced.events(events), depth, lambda: config.current, metrics)
        runner = ReplayRunner(pool, brokers)
        balance = Balance(partial(_checked, pool, brokers), now)
        lag = LagTrend(depth.now, now)
        return cls(brokers, pool, door, runner, balance, lag, (config.run, events.run, runner.run, lag.run), traced)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the tasks beside what is inside."""
        try:
            async with beside("pipeline", *self.tasks):
                yield
        finally:
            self.pool.terminate()
            await self.tracing.close()


async def _checked(pool: asyncpg.Pool, brokers: Brokers) -> Books:
    with store_faults():
        return await checked_books(pool, brokers)
