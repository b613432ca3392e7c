"""Hosts that are known by name: those for development, and those that have a team."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from streams.core.paging import Sort

BY_NAME = Sort("hostname")


@dataclass(frozen=True, slots=True)
class ListedHost:
    """A host as it is listed."""

    hostname: str
    version: int
    updated_at: dt.datetime
    team_assignment: str | None = None
    """None for development hosts: they have no such column."""


@dataclass(frozen=True, slots=True)
class HostQuery:
    """Which hosts. None means: not asked for."""

    text: str | None = None
    """Part of the name, in any case."""
    team_assignment: str | None = None
    sort: Sort = BY_NAME
