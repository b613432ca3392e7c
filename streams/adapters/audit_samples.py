"""Audited events as samples for dry runs, and the rules in force: read in pieces of bounded size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from schemas import codec
from schemas.errors import RecordRejected
from schemas.events import Disposition, Event, Flag, event_id
from schemas.rules import RuleSet
from schemas.topics import topics_by_name
from streams.adapters.rules import load_rule_set
from streams.adapters.transactions import Transactions
from streams.core.dry_run import Sample

PIECE = 250
"""Events read at once: of the longest messages some 16 MiB."""

# Newest first of every disposition, then of all: an index has that order for each.
_NEWEST = """
SELECT k.* FROM unnest($1::text[]) AS d(disposition) CROSS JOIN LATERAL (
    SELECT topic, partition, "offset", broker_time FROM audit a WHERE a.disposition = d.disposition
     ORDER BY broker_time DESC LIMIT $2) k
 ORDER BY broker_time DESC, topic, partition, "offset" DESC LIMIT $2
"""
# The record itself only where the columns do not say all that was decided over.
_EVENTS = """
SELECT a.topic, a.partition, a."offset", a.broker_time, hostname, source, message, syslog_severity, trap_oid,
       CASE WHEN flags && $5 THEN raw END AS raw
  FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::timestamptz[])
       WITH ORDINALITY AS k(topic, partition, "offset", broker_time, place)
  JOIN audit a USING (topic, partition, "offset", broker_time)
 ORDER BY place
"""
_INCOMPLETE = (Flag.MESSAGE_CUT, Flag.NUL_SHOWN)

Key = tuple[str, int, int, Any]


class AuditSamples:
    """Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def rules_in_force(self) -> tuple[RuleSet, int]:
        """The rule set, and the id that the next new rule gets at the earliest. Raises RuleRefused."""
        async with self._transactions.reading() as connection:
            rule_set, _ = await load_rule_set(connection)
            last = await connection.fetchval("SELECT coalesce(max(id), 0) FROM alert_rules")
        return rule_set, last + 1

    async def newest(self, count: int) -> AsyncIterator[list[Sample]]:
        """The events that were audited last, newest first, in pieces; between two no connection is held."""
        async with self._transactions.reading() as connection:
            found = await connection.fetch(_NEWEST, list(Disposition), count)
        keys: list[Key] = [tuple(row) for row in found]
        while keys:
            piece, keys = keys[:PIECE], keys[PIECE:]
            async with self._transactions.reading() as connection:
                rows = await connection.fetch(_EVENTS, *map(list, zip(*piece, strict=True)), list(_INCOMPLETE))
            yield [_sample(row) for row in rows]


def _sample(row: Any) -> Sample:
    name = event_id(row["topic"], row["partition"], row["offset"])
    return Sample(name, _whole(row) or _from_columns(row))


def _whole(row: Any) -> Event | None:
    """The event from its record, where that was read; it decoded once, so it does now."""
    topic = topics_by_name().get(row["topic"])
    if row["raw"] is None or topic is None:
        return None
    try:
        return codec.decode(row["raw"], topic, row["hostname"].encode(), row["broker_time"]).event
    except RecordRejected:
        return None


def _from_columns(row: Any) -> Event:
    return Event(
        timestamp=None,
        hostname=row["hostname"],
        message=row["message"],
        source=row["source"],
        syslog_severity=row["syslog_severity"],
        trap_oid=row["trap_oid"],
    )
