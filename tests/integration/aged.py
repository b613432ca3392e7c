"""Fills a database with months of history whose books balance, for retention to take away."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from streams.core.retention import month_after, part_name

TOPIC = "mutt.ingest.syslog"
LOGGED, ALERTED, REJECTED, IGNORED = 20, 5, 3, 2
OFFSETS = LOGGED + ALERTED + REJECTED + IGNORED
"""Of one month."""
HOSTS = ("h1", "h2", "h3")
_STATES = ("replayed", "purged", "open")

_AUDIT = """
INSERT INTO audit (topic, partition, "offset", broker_time, hostname, disposition, ruleset_version, alert_id, message,
                   raw)
VALUES ($1, 0, $2, $3, $4, $5, 1, $6, $7, $8)"""
_ALERT = """
INSERT INTO alerts (id, kind, topic, partition, "offset", broker_time, hostname, severity, team, handling, payload,
                    state, created_at, published_at, settled_at)
VALUES ($1, 'event', $2, 0, $3, $4, $5, 3, 'netops', 'Page_only', $6, 'delivered', $4, $4, $4)"""
_LETTER = """
INSERT INTO dead_letters (id, stage, reason, detail, topic, partition, "offset", broker_time, key, value, header_names,
                          header_values, hostname, state, first_failed_at, last_failed_at, published_at)
VALUES ($1, 'decode', 'not_json', 'x', $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $4, $4, $4)"""
_LEDGER = """
INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version, ruleset_digest,
                    alerted, logged, ignored, rejected, audited, alerts)
VALUES ($1, 0, 0, $2, $3, $4, 1, 'd', $5, $6, $7, $8, $9, $5)"""
_OLD_CHANGE = """
INSERT INTO config_audit (changed_at, changed_by, operation, table_name, object) VALUES ($1, 'ann', $2, 't', 'o')"""


@dataclass
class Aged:
    """What was put there."""

    months: list[dt.date] = field(default_factory=list)
    offsets: int = 0

    @property
    def parts(self) -> list[str]:
        return [part_name(month) for month in self.months]


async def age(pool: asyncpg.Pool, *distances: int) -> Aged:
    """Months so far back (negative), each with its partition and OFFSETS offsets; and what is old elsewhere."""
    today = dt.datetime.now(dt.UTC)
    aged = Aged([month_after(today.date(), distance) for distance in distances])
    async with pool.acquire() as connection, connection.transaction():
        for month in aged.months:
            await connection.execute("SELECT create_audit_partition($1)", month)
            await _month(connection, month, aged.offsets)
            aged.offsets += OFFSETS
        await connection.execute(
            "INSERT INTO partition_progress (topic, partition, next_offset) VALUES ($1, 0, $2)", TOPIC, aged.offsets
        )
        for days, operation in ((400, "UPDATE"), (399, "LEDGER_RESET_OF_OLD"), (398, "LEDGER_RESET"), (100, "UPDATE")):
            await connection.execute(_OLD_CHANGE, today - dt.timedelta(days=days), operation)
        for days in (200, 1):
            minute = (today - dt.timedelta(days=days)).replace(second=0, microsecond=0)
            await connection.execute("INSERT INTO sli VALUES ('ingestor', $1, 0, $2, 9, 10)", TOPIC, minute)
    return aged


async def audit_row(
    connection: Any, offset: int, moment: dt.datetime, host: str = "h1", alert: uuid.UUID | None = None
) -> None:
    text, raw = f'ä "quoted"\nline {offset}', bytes([offset % 256, 0, 255])
    disposition = "alerted" if alert else "logged"
    await connection.execute(_AUDIT, TOPIC, offset, moment, host, disposition, alert, text, raw)


async def _month(connection: asyncpg.Connection, month: dt.date, first: int) -> None:
    begin = dt.datetime(month.year, month.month, 1, 12, tzinfo=dt.UTC)
    audited = LOGGED + ALERTED
    for number in range(audited):
        offset, moment, host = first + number, begin + dt.timedelta(hours=number), HOSTS[number % len(HOSTS)]
        alert = uuid.uuid4() if number >= LOGGED else None
        await audit_row(connection, offset, moment, host, alert)
        if alert is not None:
            await connection.execute(_ALERT, alert, TOPIC, offset, moment, host, '{"a": "b"}')
    for number, state in enumerate(_STATES):
        offset, names = first + audited + number, [b"name", b"\x00"]
        await connection.execute(
            _LETTER, uuid.uuid4(), TOPIC, offset, begin, b"\xff", None, names, [None, b"\x01"], "h1", state
        )
    await connection.execute(_LEDGER, TOPIC, first, first + OFFSETS, begin, ALERTED, LOGGED, IGNORED, REJECTED, audited)
