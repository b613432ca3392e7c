"""Why a partition is paused, and since when."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from msgspec import Struct


class PauseReason(StrEnum):
    """Why a partition is paused; also the metric's label."""

    LOCATING = "locating"
    """Its position is being read from the database."""
    SINK = "sink"
    """PostgreSQL or the alert topic cannot be written, or a commit takes long."""
    BACKLOG = "backlog"
    """Too many alerts wait for delivery: the shed threshold in mode defer, the hard limit in both."""
    OPERATOR = "operator"
    """Somebody set `ingest_paused`."""
    BREAKER = "breaker"
    """The receiver failed too often: nothing is posted before the breaker lets a probe through."""
    HALTED = "halted"
    """Its log or our own code cannot be trusted; an operator must act."""


class Pause(Struct, frozen=True, order=True):
    """One reason why one partition is paused, and since when."""

    topic: str
    partition: int
    reason: PauseReason
    since: dt.datetime
