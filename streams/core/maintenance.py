"""Declaring and ending maintenance: what is accepted, and what an end means."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from enum import StrEnum

from schemas.errors import MaintenanceOver, MaintenanceRefused
from schemas.slo import LONGEST_WINDOW, Component
from streams.core.slo_reads import Draft
from streams.core.slo_windows import Maintenance

LONGEST = LONGEST_WINDOW
"""Nobody takes a whole window out of an objective unseen."""
REASON_LIMIT = 500


class Ending(StrEnum):
    """What it means to end a window now."""

    CUT = "cut"
    """It runs: its end moves to now."""
    TAKEN_BACK = "taken_back"
    """It has not begun: as if it had never been declared."""


def component_of(name: str) -> Component | None:
    """`all`, or a component of the `sli` table. Raises MaintenanceRefused."""
    if name == "all":
        return None
    try:
        return Component(name)
    except ValueError:
        raise MaintenanceRefused(f"component must be all or one of {', '.join(Component)}") from None


def checked(draft: Draft) -> Draft:
    """Raises MaintenanceRefused with every fault at once."""
    if problems := list(_problems(draft)):
        raise MaintenanceRefused(problems)
    return draft


def _problems(draft: Draft) -> Iterator[str]:
    if not 1 <= len(draft.reason.strip()) <= REASON_LIMIT or "\0" in draft.reason:
        yield f"reason must be 1 to {REASON_LIMIT} characters without NUL"
    if draft.ends_at <= draft.starts_at:
        yield "the end must lie after the start"
    elif draft.ends_at - draft.starts_at > LONGEST:
        yield f"a window lasts at most {LONGEST.days} days"


def ending(window: Maintenance, now: dt.datetime) -> Ending:
    """Raises MaintenanceOver."""
    if window.ends_at <= now:
        raise MaintenanceOver(f"maintenance {window.id} is over since {window.ends_at.isoformat()}")
    return Ending.TAKEN_BACK if window.starts_at >= now else Ending.CUT
