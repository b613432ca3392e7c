"""Service levels in PostgreSQL: sums of the SLI table over windows, and its course over time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from schemas.config_values import tolerant_snapshot
from schemas.slo import Component
from streams.adapters.maintenance import maintenance_since
from streams.adapters.transactions import Transactions
from streams.core.slo import Indicator
from streams.core.slo_reads import Asked, Levels, Point
from streams.core.slo_windows import HOUR, MINUTE, Maintenance, Span, cut, down, holes, pieces, total_of, window

_SUMS = """
SELECT n, s.good, s.total FROM unnest($1::int[], $2::text[], $3::smallint[], $4::timestamptz[], $5::timestamptz[])
       AS asked(n, component, step, first, after)
 CROSS JOIN LATERAL (
       SELECT sum(good)::bigint AS good, sum(total)::bigint AS total FROM sli_sums h
        WHERE h.component = asked.component AND h.step = asked.step AND h.starts_at >= first AND h.starts_at < after) s
 WHERE step > 1
UNION ALL
SELECT n, s.good, s.total FROM unnest($1::int[], $2::text[], $3::smallint[], $4::timestamptz[], $5::timestamptz[])
       AS asked(n, component, step, first, after)
 CROSS JOIN LATERAL (
       SELECT sum(good)::bigint AS good, sum(total)::bigint AS total FROM sli m
        WHERE m.component = asked.component AND m.minute >= first AND m.minute < after) s
 WHERE step = 1
"""

_SERIES_OF_HOURS = """
SELECT date_bin($3, starts_at, 'epoch') AS at, sum(good)::bigint AS good, sum(total)::bigint AS total FROM sli_sums
 WHERE component = $1 AND step = 60 AND starts_at >= $2 GROUP BY 1 ORDER BY 1
"""
_SERIES_OF_MINUTES = """
SELECT date_bin($3, minute, 'epoch') AS at, sum(good)::bigint AS good, sum(total)::bigint AS total FROM sli
 WHERE component = $1 AND minute >= $2 GROUP BY 1 ORDER BY 1
"""
_WINDOW = "SELECT key, value FROM dynamic_config WHERE key = 'slo_window_hours'"


class PostgresSlo:
    """Implements SloReads."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def levels(self, asked: Asked, now: dt.datetime) -> Levels:
        longest = max(length for lengths in asked.values() for length in lengths)
        async with self._transactions.reading() as connection:
            maintenance = await maintenance_since(connection, now - longest)
            begun = tuple(each for each in maintenance if each.starts_at <= now)
            spans = {
                component: cut((window(now, length) for length in lengths), holes(begun, component))
                for component, lengths in asked.items()
            }
            found = await _sums(connection, [(name, span) for name, each in spans.items() for span in each])
        sums = {
            component: {length: total_of(window(now, length), found[component]) for length in lengths}
            for component, lengths in asked.items()
        }
        return Levels(sums, begun)

    async def series(self, component: Component, start: dt.datetime, step: dt.timedelta) -> Sequence[Point]:
        query = _SERIES_OF_MINUTES if step < HOUR else _SERIES_OF_HOURS
        async with self._transactions.reading() as connection:
            rows = await connection.fetch(query, component.value, down(start, step), step)
        return [Point(row["at"], Indicator(row["good"], row["total"])) for row in rows]

    async def maintenance(self, since: dt.datetime) -> tuple[Maintenance, ...]:
        async with self._transactions.reading() as connection:
            return await maintenance_since(connection, since)

    async def slo_window_hours(self) -> int:
        async with self._transactions.reading() as connection:
            rows = await connection.fetch(_WINDOW)
        config, _ = tolerant_snapshot({row["key"]: row["value"] for row in rows})
        return config.slo_window_hours


async def _sums(connection: Any, asked: list[tuple[Component, Span]]) -> dict[Component, dict[Span, Indicator]]:
    """One question for all of them: each row is looked at once, and sums stand for their minutes."""
    parts = {span: tuple(pieces(span)) for span in {span for _, span in asked}}
    rows = [
        (number, component.value, step // MINUTE, piece.first, piece.after)
        for number, (component, span) in enumerate(asked)
        for step, piece in parts[span]
    ]
    found: dict[Component, dict[Span, Indicator]] = {component: {} for component in Component}
    for row in await connection.fetch(_SUMS, *([row[place] for row in rows] for place in range(5))):
        component, span = asked[row["n"]]
        before = found[component].get(span, Indicator())
        found[component][span] = before + Indicator(row["good"] or 0, row["total"] or 0)
    return found
