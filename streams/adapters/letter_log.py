"""The history of dead letters: every change that an operator, a replay or remediation makes to one is a row."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

# $1 new letters, $2 the letters whose replays left them. A delivery is only counted for the same alert, so that a
# forged header changes nothing; the match worker has checked the others.
COME_BACK = """
    UPDATE dead_letters d SET replays = o.replays, replay_of = o.id
    FROM unnest($1::uuid[], $2::uuid[]) AS n (id, replay_of) JOIN dead_letters o ON o.id = n.replay_of
    WHERE d.id = n.id AND d.alert_id IS NOT DISTINCT FROM o.alert_id AND d.id <> o.id"""
"""A letter that came back after a replay keeps the count of its replays, so that it is parked in the end."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One change to a letter."""

    at: dt.datetime
    actor: str
    action: str
    note: str | None
    replay_id: uuid.UUID | None
    diff: str | None


async def history(pool: asyncpg.Pool, letter_id: uuid.UUID, limit: int = 200) -> list[LogEntry]:
    """What was done to a letter, oldest first; of a longer history the newest part."""
    rows = await pool.fetch(
        "SELECT at, actor, action, note, replay_id, diff FROM letter_log WHERE letter_id = $1"
        " ORDER BY id DESC LIMIT $2",
        letter_id,
        limit,
    )
    return [LogEntry(**row) for row in reversed(rows)]


async def log_letters(
    connection: Any,
    letters: Sequence[uuid.UUID],
    *,
    actor: str,
    action: str,
    note: str | None = None,
    replay_id: uuid.UUID | None = None,
) -> None:
    """Adds one row for each letter. `action` is one that the table's check names."""
    if letters:
        await connection.execute(
            "INSERT INTO letter_log (letter_id, actor, action, note, replay_id)"
            " SELECT id, $2, $3, $4, $5 FROM unnest($1::uuid[]) AS id",
            letters,
            actor,
            action,
            note,
            replay_id,
        )


async def park_letters(connection: Any, letters: Sequence[uuid.UUID], *, actor: str, note: str | None) -> None:
    """Parks these letters; their records go to mutt.dlq.parked when the dead-letters worker finds them."""
    if letters:
        await connection.execute(
            "UPDATE dead_letters SET state = 'parked', parked_at = now(), parked_published_at = NULL"
            " WHERE id = ANY($1)",
            letters,
        )
        await log_letters(connection, letters, actor=actor, action="parked", note=note)
