"""Counts the letters of a filter by what they have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from schemas.rows import plain_uuid
from streams.adapters.letter_filters import MATCHES, filter_values
from streams.core.letter_groups import Group, GroupBy, merged
from streams.core.replay import LetterFilter

_VALUES = {
    GroupBy.REASON: "d.reason",
    GroupBy.STAGE: "d.stage",
    GroupBy.HOST: "d.hostname",
    GroupBy.TOPIC: "d.topic",
    GroupBy.RULE: "d.rule_id::text",
    GroupBy.DETAIL: "CASE WHEN length(d.hostname) > 1 THEN replace(d.detail, d.hostname, '<host>') ELSE d.detail END",
}
COUNT_TIMEOUT_S = 120.0
"""Bound on the count: it may read every letter."""


async def letter_groups(pool: asyncpg.Pool, chosen: LetterFilter, by: GroupBy) -> list[Group]:
    """The groups, the largest first. Memory is bounded by the templates there are, not by the letters."""
    query = (
        f"SELECT {_VALUES[by]} AS value, d.state, count(*) AS letters, min(d.first_failed_at) AS first_seen,"  # noqa: S608 - constants
        " max(d.last_failed_at) AS last_seen, (array_agg(d.id ORDER BY d.last_failed_at DESC))[1] AS example"
        f" FROM dead_letters d WHERE {MATCHES} GROUP BY 1, 2"
    )
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        found: list[Group] = []
        async for chunk in _chunks(
            connection.cursor(query, *filter_values(chosen), prefetch=1000, timeout=COUNT_TIMEOUT_S)
        ):
            found = merged([*found, *chunk], by)
        return merged(found, by)


async def _chunks(rows: Any) -> AsyncIterator[list[Group]]:
    chunk: list[Group] = []
    async for row in rows:
        chunk.append(_group(row))
        if len(chunk) == 1000:
            yield chunk
            chunk = []
    yield chunk


def _group(row: Any) -> Group:
    return Group(
        value=row["value"],
        letters=row["letters"],
        states={row["state"]: row["letters"]},
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        example=plain_uuid(row["example"]),
    )
