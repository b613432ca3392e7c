"""What one batch writes, as SQL and its parameters: in one statement where it is small, else part by part."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from schemas.events import Disposition
from schemas.rows import ALERTS, AUDIT, Row
from streams.core.progress import Progress
from streams.core.work import Decided

SMALL = 256
"""Rows of audit and alerts. Up to about twice as many, one statement costs less than COPY and its round trips."""

_BOOKS = """
WITH advanced AS (
    UPDATE partition_progress SET next_offset = $5, updated_at = now()
     WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4 AND halted_at IS NULL
    RETURNING next_offset),
extended AS (
    UPDATE ledger SET next_offset = $5, alerted = alerted + $8, logged = logged + $9, ignored = ignored + $10,
           unhandled = unhandled + $11, shed = shed + $12, rejected = rejected + $13, missing = missing + $14,
           audited = audited + $15, alerts = alerts + $16, last_sha256 = $17, updated_at = now()
     WHERE topic = $1 AND partition = $2 AND epoch = $3 AND first_offset = $20 AND next_offset = $4
       AND EXISTS (SELECT FROM advanced)
    RETURNING first_offset),
inserted AS (
    INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version, ruleset_digest,
                        alerted, logged, ignored, unhandled, shed, rejected, missing, audited, alerts, last_sha256)
    SELECT $1, $2, $3, $4, $5, $6, $7, $21, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
     WHERE EXISTS (SELECT FROM advanced) AND NOT EXISTS (SELECT FROM extended)
    RETURNING first_offset),
counted AS (
    INSERT INTO sli (component, topic, partition, minute, good, total)
    SELECT component, $1, $2, $6, good, total
      FROM (VALUES ('ingestor', $18, $19), ('audit', $5 - $4 - $14, $5 - $4)) AS counts (component, good, total)
     WHERE EXISTS (SELECT FROM advanced)
    ON CONFLICT (component, topic, partition, minute)
    DO UPDATE SET good = sli.good + excluded.good, total = sli.total + excluded.total)
"""
"""The compare-and-set on the partition's progress, and all that is counted. Without the first, nothing is written."""

_STOOD = " SELECT first_offset FROM extended UNION ALL SELECT first_offset FROM inserted"

BOOKS = _BOOKS + _STOOD
"""Gives the first offset of the ledger row written to; no row where the partition moved."""

_SIGNATURES = """
INSERT INTO unhandled_signatures
       (topic, partition, signature, hostname, template, sample, count, window_started, last_seen, alerted)
SELECT $1, $2, * FROM unnest({0}::bigint[], {1}::text[], {2}::text[], {3}::text[], {4}::bigint[], {5}::timestamptz[],
                             {6}::timestamptz[], {7}::boolean[]) {condition}
ON CONFLICT (topic, partition, signature) DO UPDATE
   SET count = excluded.count, window_started = excluded.window_started, last_seen = excluded.last_seen,
       alerted = excluded.alerted
"""


def _numbered(first: int, count: int = 8) -> list[str]:
    return [f"${number}" for number in range(first, first + count)]


SIGNATURES = _SIGNATURES.format(*_numbered(3), condition="")


def _columns(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


_STANDS = "WHERE EXISTS (SELECT FROM advanced)"
_ALERT_TYPES = (
    "uuid", "text", "text", "integer", "bigint", "timestamptz", "text", "smallint", "integer", "integer", "text",
    "text", "json",
)  # fmt: skip

WHOLE = f"""{_BOOKS},
audited AS (INSERT INTO audit ({_columns(AUDIT)}) SELECT {_columns(AUDIT)} FROM unnest($22::audit_row[]) {_STANDS}),
raised AS (
    INSERT INTO alerts ({_columns(ALERTS)})
    SELECT * FROM unnest({", ".join(f"${23 + at}::{kind}[]" for at, kind in enumerate(_ALERT_TYPES))}) {_STANDS}),
seen AS ({_SIGNATURES.format(*_numbered(23 + len(ALERTS)), condition=_STANDS)})
{_STOOD}
"""  # noqa: S608 - columns and types are constants
"""The whole batch in one statement, and so in one round trip. The rows of `audit` go as values of `audit_row`, which
stays as it is when the table grows: a release that is being replaced writes too."""


def is_small(decided: Decided) -> bool:
    """Whether WHOLE writes all of it: few rows, no dead letters, no replays, no signature to forget."""
    few = len(decided.audit) + len(decided.alerts) <= SMALL
    return few and not (decided.letters or decided.replayed or decided.signatures.deletions())


def books(decided: Decided, progress: Progress, minute: dt.datetime) -> tuple[Any, ...]:
    """Parameters of BOOKS."""
    work, rules, counts = decided.work, decided.work.knowledge.rule_set, decided.counts
    good = decided.good
    return (
        work.topic.name,
        work.partition,
        progress.epoch,
        work.first,
        work.after,
        minute,
        rules.version,
        *(counts[name] for name in Disposition),
        decided.missing,
        len(decided.audit),
        len(decided.alerts),
        decided.last_sha256,
        good,
        good + decided.our_failures,
        progress.extends(minute, rules.version),
        rules.digest,
    )


def signatures(decided: Decided) -> tuple[list[Any], ...]:
    """Parameters of SIGNATURES, after topic and partition: a list a column."""
    rows = decided.signatures.rows()
    seen = rows.values()
    return (
        list(rows), [s.hostname for s in seen], [s.template for s in seen], [s.sample for s in seen],
        [s.count for s in seen], [_time(s.started) for s in seen], [_time(s.last) for s in seen],
        [s.alerted for s in seen],
    )  # fmt: skip


def whole(decided: Decided, progress: Progress, minute: dt.datetime) -> tuple[Any, ...]:
    """Parameters of WHOLE."""
    alerts = _by_column(decided.alert_rows, len(ALERTS))
    return (*books(decided, progress, minute), decided.audit, *alerts, *signatures(decided))


def _by_column(rows: Sequence[Row], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _time(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
