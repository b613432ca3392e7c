"""What the API asks the tables: questions, answers, and the port between."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

EXACT_TOTAL = 100_000
"""Rows are counted up to here; beyond it a total is the planner's estimate."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which audited events, newest first. Bounds are inclusive; None means: not asked for."""

    page: int = 1
    limit: int = 50
    hostname: str | None = None
    rule_id: int | None = None
    start: dt.datetime | None = None
    """With time zone; compared with the time that is shown: the event's, else the broker's."""
    end: dt.datetime | None = None

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One audited event."""

    topic: str
    partition: int
    offset: int
    time: dt.datetime
    """The event's own time, else the broker's; UTC."""
    hostname: str
    rule_id: int | None
    handling: str | None
    """None where no rule matched."""
    alerted: bool
    """An alert was committed together with this row."""
    raw: bytes


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page and how many rows there are in all."""

    entries: tuple[AuditEntry, ...]
    total: int
    estimated: bool = False


class Reads(Protocol):
    """Reads for the API. Every method answers within seconds or raises StoreUnavailable; the caller does not retry."""

    async def audit_logs(self, query: AuditQuery) -> AuditPage:
        """One page of audited events, newest at the broker first; rows and total are of one snapshot."""

    async def check_schema(self) -> None:
        """Raises StoreUnavailable when the database is away, MigrationRefused when its schema is not this program's."""
