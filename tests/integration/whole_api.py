"""The whole API over the real database, without a socket between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.app import Doors, Ports, create_app, resources, utc_now
from api.auth import OneKey
from api.balance import Balance
from api.door import Depth, Door
from api.envelope import Envelope
from api.lag import LagTrend
from api.metrics import ApiMetrics
from api.parts import parts_on, ports_of
from api.pipeline import Pipeline
from schemas.config import DynamicConfig
from schemas.settings import Settings
from streams.adapters.event_publisher import KafkaEvents
from streams.adapters.ledger_check import Books
from streams.adapters.replay_runner import ReplayRunner
from streams.adapters.tracing import Untraced
from tests.fakes_keys import PEPPER
from tests.integration.conftest import Database

NOWHERE = "127.0.0.1:1"
"""No broker: what is asked of Kafka is told to be away."""


def api_on(database: Database) -> tuple[Envelope, ApiMetrics]:
    return app_of(ports_on(database))


def app_of(ports: Ports) -> tuple[Envelope, ApiMetrics]:
    """Who asks without a key may do everything."""
    return create_app(resources(ports), Doors(authenticator=OneKey(None)), ports.metrics), ports.metrics


def ports_on(database: Database, brokers: str = NOWHERE, **others: Any) -> Ports:
    """As the API has them in its own process, but for the `others`; nothing runs beside the requests."""
    pool = database.pool
    parts = parts_on(pool, at_once=pool.get_max_size(), single=tuple, peppers=lambda: (PEPPER,))
    depth = Depth(NothingWaits(), parts.metrics)
    pipeline = Pipeline(
        brokers,
        pool,
        Door(KafkaEvents(brokers), depth, DynamicConfig, parts.metrics),
        ReplayRunner(pool, brokers),
        Balance(_no_books, utc_now),
        LagTrend(depth.now, utc_now),
        tasks=(),
        tracing=Untraced(),
    )
    return replace(ports_of(parts, pipeline, Settings()), **others)


class NothingWaits:
    """Implements UndecidedRecords."""

    async def count(self) -> int:
        return 0


async def _no_books() -> Books:
    return Books([], [], [])
