"""Rows past their time in tables that have no partitions: which they are, and taking them out by their archive."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from schemas.errors import PartitionHalted
from schemas.topics import INGEST
from streams.adapters.ledger_places import BY_LETTER, EPOCHS, LETTER_OFFSETS, epochs_of, located
from streams.core.retention import Kind

LONG_S = 3600.0
"""Bound on a statement that reads or counts a whole partition or table."""


@dataclass(frozen=True, slots=True)
class Rows:
    """How retention sees a table `t`; SQL, with the cutoff as $1."""

    kind: Kind
    expired: str
    at: str
    """The time by which a legal hold asks for it."""
    host: str
    """Null where a row names none: then every host's hold keeps it."""
    key: tuple[str, ...]
    columns: str = "t.*"
    credit: tuple[str, str, str] | None = None
    """Column of the ledger, weight of a row, and which rows the ledger counts."""
    append_only: bool = False
    """Nobody may change or delete its rows but by a function; so none needs a lock while it is archived."""


_LETTER_CLOSED = (
    "t.state IN ('replayed', 'purged') AND t.published_at IS NOT NULL"
    " AND greatest(t.last_failed_at, t.replayed_at, t.parked_at) < $1"
)
"""An open or parked letter waits for somebody, however long."""

# A dead alert can be sent again as long as its letter is open.
_ALERT_CLOSED = (
    "t.state <> 'pending' AND t.published_at IS NOT NULL AND t.settled_at < $1 AND NOT EXISTS ("
    "SELECT FROM dead_letters d WHERE d.alert_id = t.id AND d.state NOT IN ('replayed', 'purged'))"
)
_LOG = "(SELECT json_agg(l ORDER BY l.id) FROM letter_log l WHERE l.letter_id = t.id) AS log"

ROWS: tuple[Rows, ...] = (
    Rows(
        Kind.ALERTS, _ALERT_CLOSED, "t.broker_time", "t.hostname", ("id",),
        credit=("archived_alerts", "1", "x.topic = ANY($6)"),
    ),
    Rows(
        Kind.DEAD_LETTERS, _LETTER_CLOSED, "t.broker_time", "t.hostname", ("id",), f"t.*, {_LOG}",
        credit=("archived_letters", LETTER_OFFSETS, BY_LETTER),
    ),
    # The books are read by resets of the ledger.
    Rows(
        Kind.CONFIG_AUDIT, "t.changed_at < $1 AND t.operation <> 'LEDGER_RESET'", "t.changed_at", "NULL", ("id",),
        append_only=True,
    ),
    Rows(Kind.SLI, "t.minute < $1", "t.minute", "NULL", ("component", "topic", "partition", "minute")),
)  # fmt: skip
"""In the order in which they go: a letter is there as long as its alert."""

KEY_OF = {rows.kind: rows.key for rows in ROWS} | {Kind.AUDIT: ("topic", "partition", "offset", "broker_time")}


def _condition(rows: Rows) -> str:
    """Past its time and not held."""
    return f"""{rows.expired} AND NOT EXISTS (
        SELECT FROM legal_holds h WHERE h.lifted_at IS NULL AND coalesce(h.kind, '{rows.kind}') = '{rows.kind}'
           AND coalesce({rows.at} >= h.since, true) AND coalesce({rows.at} < h.until, true)
           AND coalesce({rows.host} = h.hostname, true))"""


def _select(rows: Rows) -> str:
    key = ", ".join(f"t.{name}" for name in rows.key)
    lock = "" if rows.append_only else " FOR UPDATE OF t"
    return f"""
SELECT t.ctid AS place, {rows.at} AS at, row_to_json(w)::text AS line
  FROM {rows.kind} t CROSS JOIN LATERAL (SELECT {rows.columns}) w
 WHERE {_condition(rows)} ORDER BY {rows.at}, {key} LIMIT $2{lock}"""  # noqa: S608 - constants


async def count(connection: Any, rows: Rows, cutoff: dt.datetime) -> int:
    """How many rows of the table are past their time and not held."""
    text = f"SELECT count(*) FROM {rows.kind} t WHERE {_condition(rows)}"  # noqa: S608 - constants
    found: int = await connection.fetchval(text, cutoff, timeout=LONG_S)
    return found


async def count_held(connection: Any, rows: Rows, cutoff: dt.datetime) -> int:
    """How many are past their time and kept by a legal hold alone."""
    text = f"SELECT count(*) FROM {rows.kind} t WHERE {rows.expired} AND NOT ({_condition(rows)})"  # noqa: S608 - constants
    found: int = await connection.fetchval(text, cutoff, timeout=LONG_S)
    return found


async def take(connection: Any, rows: Rows, cutoff: dt.datetime, most: int) -> list[Any]:
    """The oldest rows that go, locked until the transaction ends; nobody sets a hold meanwhile."""
    await connection.execute("LOCK TABLE legal_holds IN SHARE MODE")
    found: list[Any] = await connection.fetch(_select(rows), cutoff, most, timeout=LONG_S)
    return found


async def delete(connection: Any, rows: Rows, places: list[Any]) -> None:
    """Deletes these rows, and tells the ledger that they are in an archive."""
    if rows.credit is not None:
        column, weight, counted = rows.credit
        chosen = f"{counted} AND x.ctid = ANY($7::tid[])"
        await credit(connection, rows.kind, column, located(rows.kind, weight, chosen), places)
    done: int = await connection.fetchval(_delete(rows), places, timeout=LONG_S)
    if done != len(places):
        raise PartitionHalted(f"{rows.kind}: {done} of {len(places)} rows were deleted")


def _delete(rows: Rows) -> str:
    if rows.append_only:
        return f"SELECT retention_delete_{rows.kind}($1::tid[])"
    return f"WITH gone AS (DELETE FROM {rows.kind} WHERE ctid = ANY($1::tid[]) RETURNING 1) SELECT count(*) FROM gone"  # noqa: S608 - constants


async def credit_part(connection: Any, part: str) -> None:
    """Tells the ledger that the rows of a partition of the audit are in an archive."""
    await credit(connection, part, "archived_audit", located(part, "1", "x.topic = ANY($6)"))


async def credit(connection: Any, what: str, column: str, rows: str, *more: Any) -> None:
    """Adds rows to a column of the ledger. Raises PartitionHalted where the ledger does not know one of them.

    Such a row is a fault of the books, which would not be seen any more.
    """
    statement = f"""
WITH {EPOCHS}, found AS MATERIALIZED (
    SELECT topic, partition, epoch, first_offset, sum(weight)::bigint AS n, count(*) AS rows
      FROM ({rows}) located GROUP BY 1, 2, 3, 4),
done AS (
    UPDATE ledger l SET {column} = l.{column} + f.n FROM found f
     WHERE (l.topic, l.partition, l.epoch, l.first_offset) = (f.topic, f.partition, f.epoch, f.first_offset))
SELECT coalesce(sum(rows), 0)::bigint FROM found WHERE first_offset IS NULL"""  # noqa: S608 - constants
    topics = [topic.name for topic in INGEST]
    orphans = await connection.fetchval(statement, *await epochs_of(connection), topics, *more, timeout=LONG_S)
    if orphans:
        raise PartitionHalted(f"{what}: no row of the ledger covers {orphans} of its rows; see mutt ledger verify")
