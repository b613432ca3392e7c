"""Everything the tables and the broker know of one event."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import words
from streams.adapters.broker_access import Brokers
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.offsets import log_bounds, reader
from streams.core.letters import LetterRecord, header_names
from streams.core.replay import StoredLetter

READ_TIMEOUT_S = 5.0

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """What the tables hold of one event; several audit rows where its offset was used again by a recreated topic."""

    progress: Row | None
    ledger: tuple[Row, ...]
    audit: tuple[Row, ...]
    rules: tuple[Row, ...]
    """The rule versions that decided, as they were then."""
    alerts: tuple[Row, ...]
    letters: tuple[StoredLetter, ...]
    replays: tuple[Row, ...]
    """Recorded replays of those letters."""
    replayed_as: tuple[Row, ...]
    """Audit rows of records that were replayed from those letters."""


class Traces:
    """Reads traces through a pool. Errors of asyncpg leave as they are."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def event_of_alert(self, alert: uuid.UUID) -> tuple[str, int, int] | None:
        row = await self._pool.fetchrow('SELECT topic, partition, "offset" FROM alerts WHERE id = $1', alert)
        return (row["topic"], row["partition"], row["offset"]) if row else None

    async def trace(self, topic: str, partition: int, offset: int) -> Trace:
        at = (topic, partition, offset)
        audit = await self._rows(
            'SELECT * FROM audit WHERE topic = $1 AND partition = $2 AND "offset" = $3 ORDER BY broker_time', *at
        )
        alerts = await self._rows(
            'SELECT * FROM alerts WHERE topic = $1 AND partition = $2 AND "offset" = $3 ORDER BY created_at', *at
        )
        letters = await DeadLetters(self._pool).origin_of(*at, [row["id"] for row in alerts])
        ids = [stored.letter.id for stored in letters]
        return Trace(
            progress=next(
                iter(await self._rows("SELECT * FROM partition_progress WHERE topic = $1 AND partition = $2", *at[:2])),
                None,
            ),
            ledger=await self._rows(
                "SELECT * FROM ledger WHERE topic = $1 AND partition = $2"
                " AND first_offset <= $3 AND next_offset > $3 ORDER BY epoch",
                *at,
            ),
            audit=audit,
            rules=await self._rows(
                "SELECT * FROM alert_rule_versions WHERE (rule_id, version) IN"
                " (SELECT * FROM unnest($1::integer[], $2::integer[]))",
                [row["rule_id"] for row in audit],
                [row["rule_version"] for row in audit],
            ),
            alerts=alerts,
            letters=tuple(letters),
            replays=await self._rows(
                "SELECT r.* FROM replays r WHERE id IN"
                " (SELECT replay_id FROM dead_letters WHERE id = ANY($1)) ORDER BY created_at",
                ids,
            ),
            replayed_as=await self._rows(
                "SELECT * FROM audit WHERE replay_of = ANY($1) ORDER BY broker_time LIMIT 100", ids
            )
            if ids
            else (),
        )

    async def _rows(self, query: str, *values: object) -> tuple[Row, ...]:
        rows: Any = await self._pool.fetch(query, *values)
        return tuple(rows)


async def read_record(brokers: Brokers, topic: str, partition: int, offset: int) -> tuple[int, LetterRecord] | str:
    """The record with its broker time (ms), or why it cannot be had."""
    try:
        bounds = (await log_bounds(brokers, [(topic, partition)])).get((topic, partition))
        if bounds is None:
            return "the brokers know no such partition"
        if not bounds.begin <= offset < bounds.end:
            return f"not in the log, which holds [{bounds.begin}, {bounds.end})"
        return await _read(brokers, TopicPartition(topic, partition), offset)
    except UnicodeDecodeError:
        return "its header names are not UTF-8"
    except (KafkaError, OSError, TimeoutError) as error:
        return f"Kafka cannot be asked: {words(error)}"


async def _read(brokers: Brokers, tp: TopicPartition, offset: int) -> tuple[int, LetterRecord] | str:
    async with reader(brokers) as consumer:
        consumer.assign([tp])
        consumer.seek(tp, offset)
        async with asyncio.timeout(READ_TIMEOUT_S):
            record = await consumer.getone(tp)
    if record.offset != offset:
        return "no longer in the log (compacted, or a transaction's marker)"
    return record.timestamp, (record.key, record.value, header_names(record.headers))
