"""The system as a whole: what is in order in Kafka and PostgreSQL and what is not, and what was done to it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import cast

import asyncpg
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable
from streams.adapters.broker_access import Brokers
from streams.adapters.faults import store_faults
from streams.adapters.health_readings import read_deliveries, read_positions, read_postgres, read_topics
from streams.core.health_checks import (
    Finding,
    TopicReading,
    Verdict,
    judge_deliveries,
    judge_positions,
    judge_postgres,
    judge_topics,
)

RUNS = 10
_MIGRATIONS = "SELECT number, name, applied_at FROM schema_migrations ORDER BY number DESC"
_RUNS = """
SELECT id::text, actor, started_at, finished_at, outcome, rows, problems FROM retention_runs
 ORDER BY started_at DESC LIMIT $1
"""
NO_BROKER = "does not answer"
REMEDY = "look at its log and at MUTT_KAFKA_BOOTSTRAP"


@dataclass(frozen=True, slots=True)
class Applied:
    """One migration of the database."""

    number: int
    name: str
    applied_at: dt.datetime


@dataclass(frozen=True, slots=True)
class RetentionRun:
    """One run of `mutt retention run`; `rows` were taken out."""

    id: str
    actor: str
    started_at: dt.datetime
    finished_at: dt.datetime | None
    outcome: str
    rows: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class SystemState:
    findings: list[Finding]
    topics: list[TopicReading]
    """Of mutt that are there; none where Kafka is away."""
    migrations: list[Applied]
    """The newest first."""
    runs: list[RetentionRun]
    """The newest first, at most RUNS."""


async def examine(pool: asyncpg.Pool, brokers: Brokers) -> tuple[list[Finding], list[TopicReading]]:
    """What `mutt doctor` finds. Raises what the readings raise, also where Kafka is away."""
    async with pool.acquire() as connection:
        store = await read_postgres(cast("asyncpg.Connection", connection))
    topics = await read_topics(brokers)
    findings = [*judge_postgres(store), *judge_topics(topics)]
    if not store.pending:
        findings += judge_positions(await read_positions(pool, brokers))
        findings += judge_deliveries(await read_deliveries(pool, brokers))
    return findings, topics


class SystemReads:
    """Reads for the API. Raises StoreUnavailable; Kafka that is away is a finding."""

    def __init__(self, pool: asyncpg.Pool, brokers: Brokers) -> None:
        self._pool = pool
        self._brokers = brokers

    async def read(self) -> SystemState:
        with store_faults():
            migrations = [Applied(**row) for row in await self._pool.fetch(_MIGRATIONS)]
            runs = [RetentionRun(**row) for row in await self._pool.fetch(_RUNS, RUNS)]
            findings, topics = await self._examined()
        return SystemState(findings, topics, migrations, runs)

    async def _examined(self) -> tuple[list[Finding], list[TopicReading]]:
        try:
            return await examine(self._pool, self._brokers)
        except (Unavailable, KafkaError) as error:
            async with self._pool.acquire() as connection:
                store = await read_postgres(cast("asyncpg.Connection", connection))
            away = Finding(
                "Kafka", Verdict.WRONG, f"{NO_BROKER}: {error}", "look at its log and at MUTT_KAFKA_BOOTSTRAP"
            )
            return [*judge_postgres(store), away], []
