"""What is asked of the rules as people edit them: which ones, and what was found."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from schemas.rules import Handling, MatchType, Mode, Rule
from streams.core.paging import Sort

BY_RANK = Sort("priority")


@dataclass(frozen=True, slots=True)
class RuleQuery:
    """Which rules. None means: not asked for."""

    match_type: MatchType | None = None
    mode: Mode | None = None
    is_active: bool | None = None
    handling: Handling | None = None
    """On production hosts or on development hosts."""
    team_assignment: str | None = None
    text: str | None = None
    """Part of the match string, OID or description, in any case."""
    retired: bool = False
    sort: Sort = BY_RANK


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule as it stands."""

    rule: Rule
    updated_at: dt.datetime
    retired_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule as it was from one change to the next, and that change."""

    rule: Rule
    retired: bool
    changed_at: dt.datetime
    changed_by: str
    client_id: str | None
    operation: str
    reason: str | None
    correlation_id: str | None
    request_id: str | None
