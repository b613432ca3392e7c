"""Whether retention does its work: what somebody must look at, from what runs and archives left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from streams.core.retention import Kind


@dataclass(frozen=True, slots=True)
class Totals:
    """Archives of one table that were not forgotten."""

    archives: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Where retention stands."""

    last_run: dt.datetime | None = None
    """When the last one began."""
    last_outcome: str | None = None
    last_seconds: float | None = None
    last_problems: tuple[str, ...] = ()
    last_success: dt.datetime | None = None
    """When the last one ended that had no problem."""
    months_ahead: int = 0
    expired_parts: int = 0
    """Partitions of the audit that are past their time and not held."""
    strays: int = 0
    """Rows in the default partition."""
    unfinished: int = 0
    """Archives whose rows are still in a table, or that are not whole."""
    holds: int = 0
    totals: Mapping[Kind, Totals] = field(default_factory=dict)


def problems(facts: Facts, now: dt.datetime, *, stale: dt.timedelta, ahead: int) -> Iterator[str]:
    """A line for everything that is not as it should be. `ahead`: how many months must be."""
    if facts.last_success is None:
        yield "no run has succeeded yet"
    elif now - facts.last_success > stale:
        hours = round((now - facts.last_success).total_seconds() / 3600)
        yield f"the last run that succeeded is {hours} hours old"
    if facts.last_outcome in ("failed", "killed"):
        why = "; ".join(facts.last_problems) or "it did not come to its end"
        yield f"the last run {'failed' if facts.last_outcome == 'failed' else 'was cut short'}: {why}"
    if facts.months_ahead < ahead:
        yield f"partitions of the audit lie {facts.months_ahead} months ahead, not {ahead}"
    if facts.strays:
        yield f"audit_default holds {facts.strays} rows: there was no partition for their time"
