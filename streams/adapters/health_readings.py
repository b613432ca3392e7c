"""Reads what `mutt doctor` judges from Kafka and PostgreSQL."""

from __future__ import annotations

import datetime as dt

import asyncpg

from streams.adapters.broker_access import Brokers
from streams.adapters.ledger import Ledger
from streams.adapters.migrations import packaged, pending
from streams.adapters.offsets import log_bounds
from streams.adapters.topics import describe_topics
from streams.core.health_checks import POSTGRES_SETTINGS, PositionReading, PostgresReading, TopicReading


async def read_postgres(connection: asyncpg.Connection) -> PostgresReading:
    """Raises MigrationRefused where the schema is another program's, OSError or asyncpg's errors."""
    rows = await connection.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY($1)", list(POSTGRES_SETTINGS))
    before = dt.datetime.now(dt.UTC)
    theirs = await connection.fetchval("SELECT clock_timestamp()")
    middle = before + (dt.datetime.now(dt.UTC) - before) / 2
    return PostgresReading(
        settings={row["name"]: row["setting"] for row in rows},
        pending=[str(migration) for migration in await pending(connection, packaged())],
        clock_ahead_s=(theirs - middle).total_seconds(),
    )


async def read_topics(brokers: Brokers) -> list[TopicReading]:
    """The topics of mutt that are there. Raises BrokerUnavailable."""
    return [
        TopicReading(name, len(copies), min(copies), config) for name, copies, config in await describe_topics(brokers)
    ]


async def read_positions(pool: asyncpg.Pool, brokers: Brokers) -> list[PositionReading]:
    """Raises aiokafka's errors when no broker answers. The logs are read last: workers may run meanwhile."""
    _, standings, _ = await Ledger(pool).read()
    bounds = await log_bounds(brokers, [(row.topic, row.partition) for row in standings])
    found = []
    for row in standings:
        log = bounds.get((row.topic, row.partition))
        begin, end = (log.begin, log.end) if log else (None, None)
        found.append(PositionReading(row.topic, row.partition, row.next_offset, begin, end))
    return found
