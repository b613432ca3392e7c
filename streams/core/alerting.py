"""Alerts from decisions: what an alert says, and its row."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from schemas import codec
from schemas.alerts import Alert, AlertKind
from schemas.events import Event, Position, derived_id
from schemas.rows import Row
from schemas.rules import AlertSeverity, Handling
from streams.core.matching import Judgement
from streams.core.signatures import Seen

DESCRIPTION_LIMIT = 4000
"""Characters of the message an alert carries as description."""


def alert_for_event(
    position: Position,
    event: Event,
    judgement: Judgement,
    *,
    ruleset_version: int,
    occurred_at: dt.datetime,
    trace: str | UnsetType = UNSET,
) -> Alert:
    """The alert of an event that a rule matched."""
    rule = judgement.rule
    assert rule is not None
    return Alert(
        id=derived_id("alert", position),
        kind=AlertKind.EVENT,
        event_id=position.event_id,
        topic=position.topic,
        partition=position.partition,
        offset=position.offset,
        hostname=codec.visible(event.hostname),
        severity=judgement.severity,
        description=codec.visible(event.message[:DESCRIPTION_LIMIT]),
        signature=codec.visible(f"{event.hostname}::{rule.id}::{event.trap_oid or event.program or ''}"),
        team=judgement.team,
        handling=judgement.handling.value,
        rule_id=rule.id,
        rule_version=rule.version,
        ruleset_version=ruleset_version,
        correlation_id=event.correlation_id or position.event_id,
        occurred_at=_rfc3339(occurred_at),
        event=_fields(event),
        traceparent=trace,
    )


def alert_for_signature(
    position: Position,
    event: Event,
    seen: Seen,
    *,
    template_hash: int,
    team: str,
    window_s: int,
    ruleset_version: int,
    occurred_at: dt.datetime,
    trace: str | UnsetType = UNSET,
) -> Alert:
    """The meta-alert of a signature that crossed the threshold: named after the noisy host."""
    sample = event.message[:200]
    return Alert(
        id=derived_id("alert", position),
        kind=AlertKind.UNHANDLED,
        event_id=position.event_id,
        topic=position.topic,
        partition=position.partition,
        offset=position.offset,
        hostname=codec.visible(event.hostname),
        severity=AlertSeverity.WARNING,
        description=codec.visible(
            f"{seen.count} events of one kind from {event.hostname} within {window_s} s match no rule: {sample}"
        ),
        signature=codec.visible(f"{event.hostname}::unhandled::{template_hash & 0xFFFFFFFFFFFFFFFF:016x}"),
        team=team,
        handling=Handling.TICKET_ONLY.value,
        ruleset_version=ruleset_version,
        correlation_id=event.correlation_id or position.event_id,
        occurred_at=_rfc3339(occurred_at),
        event=_fields(event),
        traceparent=trace,
    )


def alert_row(alert: Alert, broker_time: dt.datetime) -> Row:
    """The alert as a row of `alerts`, in the order of schemas.rows.ALERTS; its payload is the record's value."""
    payload = codec.encode(alert)
    if b"\\u0000" in payload:  # rare: PostgreSQL's json functions refuse NUL
        payload = codec.encode(replace(alert, event=_visible(alert.event)))
    return (
        alert.id, alert.kind.value, alert.topic, alert.partition, alert.offset, broker_time, alert.hostname,
        alert.severity.number, alert.rule_id, alert.rule_version, alert.team, alert.handling, payload.decode(),
    )  # fmt: skip


def _fields(event: Event) -> dict[str, Any]:
    """The event's fields as plain values, absent ones left out."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields


def _visible(value: Any) -> Any:
    if isinstance(value, str):
        return codec.visible(value)
    if isinstance(value, dict):
        return {codec.visible(key): _visible(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_visible(item) for item in value]
    return value


def _rfc3339(moment: dt.datetime) -> str:
    utc = moment if moment.tzinfo is dt.UTC else moment.astimezone(dt.UTC)
    return msgspec.to_builtins(utc)  # type: ignore[no-any-return]
