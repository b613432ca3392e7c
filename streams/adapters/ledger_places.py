"""Which row of the ledger covers a row of another table: in SQL, by offset and epoch."""

from __future__ import annotations

import datetime as dt
from typing import Any

EPOCHS = """epochs AS (
    SELECT * FROM unnest($1::text[], $2::integer[], $3::integer[], $4::timestamptz[], $5::timestamptz[])
        AS e(topic, partition, epoch, since, until))"""
"""A common table that `located` needs; its five parameters come from `epochs_of`."""

# A batch too large to unpack is one letter for all its offsets; its detail says which.
LETTER_OFFSETS = r"""CASE WHEN x.reason = 'too_large' AND x.detail ~ '^offsets \d+ to \d+ are one batch'
    THEN (regexp_match(x.detail, '^offsets \d+ to (\d+)'))[1]::bigint
       - (regexp_match(x.detail, '^offsets (\d+) to'))[1]::bigint + 1 ELSE 1 END"""

BY_LETTER = "x.stage <> 'deliver' AND x.reason <> 'foreign' AND x.topic = ANY($6)"
"""Letters that account for offsets of the ingest topics, whose names are the sixth parameter."""


def located(table: str, weight: str, condition: str) -> str:
    """Rows of a table with the ledger row that covers their offset in their epoch (null: none does)."""
    return f"""
        SELECT x.topic, x.partition, x."offset", l.epoch, l.first_offset, {weight} AS weight
          FROM {table} x LEFT JOIN LATERAL (
               SELECT l.epoch, l.first_offset FROM epochs e JOIN ledger l USING (topic, partition, epoch)
                WHERE e.topic = x.topic AND e.partition = x.partition
                  AND (e.since IS NULL OR x.broker_time >= e.since) AND (e.until IS NULL OR x.broker_time < e.until)
                  AND l.first_offset <= x."offset" AND x."offset" < l.next_offset LIMIT 1) l ON true
         WHERE {condition}"""  # noqa: S608 - constants


async def epochs_of(connection: Any) -> tuple[list[Any], ...]:
    """Epochs of all partitions, and between which broker times their records lie where the log was replaced."""
    rows = await connection.fetch(
        "SELECT DISTINCT topic, partition, epoch FROM ledger UNION"
        " SELECT topic, partition, epoch FROM partition_progress ORDER BY 1, 2, 3 DESC"
    )
    resets = await connection.fetch(
        "SELECT object, (new_values ->> 'epoch')::integer AS epoch, (new_values ->> 'since')::timestamptz AS since"
        " FROM config_audit WHERE operation = 'LEDGER_RESET'"
    )
    since_of = {(row["object"], row["epoch"]): row["since"] for row in resets}
    epochs: list[tuple[Any, ...]] = []
    until: dict[str, dt.datetime | None] = {}
    for row in rows:
        name = f"{row['topic']}:{row['partition']}"
        since = since_of.get((name, row["epoch"]))
        epochs.append((row["topic"], row["partition"], row["epoch"], since, until.get(name)))
        until[name] = since or until.get(name)
    return tuple([epoch[column] for epoch in epochs] for column in range(5))
