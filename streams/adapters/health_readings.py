"""Reads what `mutt doctor` judges from Kafka and PostgreSQL."""

from __future__ import annotations

import datetime as dt

import asyncpg

from schemas.topics import ALERTS, consumer_group
from streams.adapters.broker_access import Brokers
from streams.adapters.ledger import Ledger
from streams.adapters.migrations import packaged, pending
from streams.adapters.offsets import committed_offsets, log_bounds, partitions_of
from streams.adapters.topics import describe_topics
from streams.core.health_checks import (
    POSTGRES_SETTINGS,
    DeliveryReading,
    PositionReading,
    PostgresReading,
    TopicReading,
)

_WAITING = "SELECT count(*) FROM alerts WHERE state = 'pending' AND published_at < $1"


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


async def read_deliveries(pool: asyncpg.Pool, brokers: Brokers) -> DeliveryReading:
    """Raises aiokafka's errors when no broker answers.

    In this order: an alert that was published before the first question lies below the ends that the brokers tell, and
    one that is acknowledged was settled in the tables before.
    """
    asked_at = await pool.fetchval("SELECT clock_timestamp()")
    places = [(at.topic, at.partition) for at in await partitions_of(brokers, [ALERTS.name])]
    bounds = await log_bounds(brokers, places)
    committed = await committed_offsets(brokers, consumer_group("forward"))
    waiting = await pool.fetchval(_WAITING, asked_at)
    unread = sum(log.end - max(log.begin, committed.get(place, 0)) for place, log in bounds.items())
    return DeliveryReading(unread=unread, waiting=waiting)
