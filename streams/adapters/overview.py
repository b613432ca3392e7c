"""What an operator wants to know first, in one snapshot: where events end, what waits, and what is paused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.alerts import AlertState
from schemas.events import Disposition
from streams.adapters.pause_board import PauseState, read_pauses
from streams.adapters.transactions import Transactions

MOST_RANGES = 600
"""Ranges of one partition that are looked at: an hour has 60, and one more for each change of the rules."""

_NAMES = (*(one.value for one in Disposition), "missing")
_SUMS = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in _NAMES)
# Ranges of a partition lie in the order of their minutes, so the newest are found by the end of its primary key.
_ENDED = f"""
SELECT {_SUMS}, coalesce(max(n), 0) AS most FROM partition_progress p, LATERAL (
    SELECT *, row_number() OVER () AS n FROM (
        SELECT * FROM ledger l
         WHERE (l.topic, l.partition, l.epoch) = (p.topic, p.partition, p.epoch)
         ORDER BY first_offset DESC LIMIT {MOST_RANGES}) newest
     WHERE minute >= $1) l
"""  # noqa: S608 - constants
_ALERTS = "SELECT state, count(*) AS n FROM alerts WHERE created_at >= $1 GROUP BY state"
_LETTERS = "SELECT reason, count(*) AS n FROM dead_letters WHERE state = 'open' GROUP BY reason ORDER BY n DESC, reason"


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts since `since`, and what stands now."""

    since: dt.datetime
    ended: Mapping[str, int]
    """Offsets of the ledger by disposition, and those that were missing."""
    complete: bool
    """Whether every range since then was counted."""
    alerts: Mapping[AlertState, int]
    """Alerts raised since then, by how they stand now."""
    letters: Mapping[str, int]
    """Open dead letters by reason, whenever they failed; the most first."""
    pauses: PauseState


class OverviewReads:
    """Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def show(self, since: dt.datetime) -> Overview:
        async with self._transactions.reading() as connection:
            ended = await connection.fetchrow(_ENDED, since)
            alerts = await connection.fetch(_ALERTS, since)
            letters = await connection.fetch(_LETTERS)
            pauses = await read_pauses(connection)
        return Overview(
            since,
            {name: ended[name] for name in _NAMES},
            ended["most"] < MOST_RANGES,
            {AlertState(row["state"]): row["n"] for row in alerts},
            {row["reason"]: row["n"] for row in letters},
            pauses,
        )
