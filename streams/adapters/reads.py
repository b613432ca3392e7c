"""The SQL behind the API: read-only, each question bounded in time."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import asyncpg

from schemas.errors import MigrationRefused
from streams.adapters.migrations import Migration, packaged, pending
from streams.adapters.selects import total_of
from streams.adapters.transactions import ACQUIRE_S, ANSWER_S, Transactions
from streams.core.reads import AuditEntry, AuditPage, AuditQuery

_SHOWN_TIME = "coalesce(event_time, broker_time)"
_COLUMNS = (
    f'topic, partition, "offset", {_SHOWN_TIME} AS shown_time, hostname, rule_id, handling, alert_id IS NOT NULL '
    "AS alerted, raw"
)
_NEWEST_FIRST = 'broker_time DESC, "offset" DESC, topic, partition'

_RECENT = (dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(days=7))
"""Newest-first without host or rule has no index in that order; but a page that is full within a recent stretch of
broker time (where the block ranges do help) is the page of the whole table too."""


class PostgresReads:
    """Implements the Reads port on a pool.

    `acquire_s` bounds the wait for a connection and for the server's first word, `answer_s` each statement.
    """

    def __init__(self, pool: asyncpg.Pool, *, acquire_s: float = ACQUIRE_S, answer_s: float = ANSWER_S) -> None:
        self._transactions = Transactions(pool, acquire_s=acquire_s, answer_s=answer_s)

    async def audit_logs(self, query: AuditQuery) -> AuditPage:
        where, values = _conditions(query)
        async with self._transactions.reading() as connection:
            total, estimated = await total_of(connection, _from_audit("1", where), values)
            if query.offset >= total and not estimated:
                return AuditPage((), total)
            rows = await _newest(connection, query, where, values)
        return AuditPage(tuple(_entry(row) for row in rows), total, estimated)

    async def check_schema(self) -> None:
        async with self._transactions.reading() as connection:
            missing = await pending(connection, _migrations())
        if missing:
            raise MigrationRefused(f"{len(missing)} migrations are not applied; run: mutt migrate")


@cache
def _migrations() -> tuple[Migration, ...]:
    return packaged()


def _conditions(query: AuditQuery) -> tuple[list[str], list[Any]]:
    """The WHERE terms and their values, numbered from $1."""
    asked = (
        ("hostname = ${}", query.hostname),
        ("rule_id = ${}", query.rule_id),
        (f"{_SHOWN_TIME} >= ${{}}", query.start),
        (f"{_SHOWN_TIME} <= ${{}}", query.end),
    )
    given = [(term, value) for term, value in asked if value is not None]
    return [term.format(place) for place, (term, _) in enumerate(given, 1)], [value for _, value in given]


def _from_audit(what: str, where: list[str]) -> str:
    return f"SELECT {what} FROM audit WHERE {' AND '.join(where) or 'true'}"  # noqa: S608 (fixed terms; values are parameters)


async def _newest(connection: Any, query: AuditQuery, where: list[str], values: list[Any]) -> list[Any]:
    ordered = f"ORDER BY {_NEWEST_FIRST} LIMIT {query.limit} OFFSET {query.offset}"
    if query.hostname is None and query.rule_id is None:
        within = [*where, f"broker_time >= now() - ${len(values) + 1}::interval"]
        for stretch in _RECENT:
            rows: list[Any] = await connection.fetch(f"{_from_audit(_COLUMNS, within)} {ordered}", *values, stretch)
            if len(rows) == query.limit:
                return rows
    return list(await connection.fetch(f"{_from_audit(_COLUMNS, where)} {ordered}", *values))


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        time=row["shown_time"],
        hostname=row["hostname"],
        rule_id=row["rule_id"],
        handling=row["handling"],
        alerted=row["alerted"],
        raw=row["raw"],
    )
