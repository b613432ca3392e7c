"""Searches of the API in what the pipeline wrote: questions, answers as rows, and the port between."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.alerts import AlertState
from schemas.dead_letters import LetterState, Reason, Stage
from schemas.events import Disposition
from streams.core.paging import Page, Place

SHOWN_MESSAGE = 1000
"""Characters of a message that a list shows."""

Row = Mapping[str, Any]
"""Columns by their name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a list in the order of time: from `since` to before `until`, behind a place."""

    limit: int
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    after: Place | None = None
    descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """Audited events in the order of the broker's time. What is None is not asked for."""

    stretch: Stretch
    columns: tuple[str, ...]
    """Of the table, without those of the key, which come along; `message` comes cut."""
    hostname: str | None = None
    rule_id: int | None = None
    disposition: Disposition | None = None
    alert_id: uuid.UUID | None = None
    text: str | None = None
    """Stands in the message, in whatever case."""
    restored: bool = False
    """Also in what `mutt retention restore` has put back of archives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSearch:
    """Dead letters in the order in which they first failed."""

    stretch: Stretch
    reason: Reason | None = None
    stage: Stage | None = None
    state: LetterState | None = None
    hostname: str | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySearch:
    """Alerts in the order in which they were committed."""

    stretch: Stretch
    state: AlertState | None = None
    hostname: str | None = None
    rule_id: int | None = None
    team: str | None = None


class Searches(Protocol):
    """Every method answers within seconds or raises StoreUnavailable; the caller does not retry.

    A page may hold fewer rows than its limit, even none, and have a next place: what one page looks at is bounded.
    """

    async def audit(self, search: AuditSearch) -> Page[Row]: ...

    async def deliveries(self, search: DeliverySearch) -> Page[Row]: ...
