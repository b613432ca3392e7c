"""Alerts: what is committed with a decision, travels on `mutt.alerts` and is delivered to the receiver."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from schemas.rules import AlertSeverity


class AlertState(StrEnum):
    """Where an alert stands. `pending` counts as backlog."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class AlertKind(StrEnum):
    """What raised the alert."""

    EVENT = "event"
    """A rule matched this event."""
    UNHANDLED = "unhandled"
    """So many unmatched events of one signature that somebody must look (a meta-alert)."""


class Alert(Struct, frozen=True, kw_only=True):
    """One alert, as the JSON value of a record on `mutt.alerts` (key = hostname). It never changes once committed."""

    id: UUID
    """Also the `webhook-id` of every delivery attempt."""
    kind: AlertKind = AlertKind.EVENT
    event_id: str
    topic: str
    partition: int
    offset: int
    hostname: str
    severity: AlertSeverity
    description: str
    signature: str
    """What the receiver deduplicates by: `host::rule id::OID or program`."""
    team: str
    handling: str
    rule_id: int | None = None
    rule_version: int | None = None
    ruleset_version: int
    correlation_id: str
    occurred_at: str
    """Event time, else broker time: RFC 3339 in UTC."""
    event: dict[str, Any]
    """The fields of the event that mutt reads."""
    traceparent: str | UnsetType = UNSET
    """The trace context of the record (W3C), where it had one; goes to the receiver as the header of that name."""
