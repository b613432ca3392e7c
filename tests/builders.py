"""Smallest valid values for tests; every field can be overridden."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

from schemas.alerts import Alert
from schemas.config import DynamicConfig
from schemas.dead_letters import DeadLetter, Reason
from schemas.events import Event
from schemas.rules import AlertSeverity, Handling, Rule, RuleSet
from streams.core.matching import Matcher


def event(**overrides: Any) -> Event:
    return Event(**{"timestamp": "2026-03-01T12:00:00Z", "hostname": "h1", "message": "m"} | overrides)


def match(matcher: Matcher, message: str, severity: int | None = None, oid: str | None = None) -> Rule | None:
    """The rule that decides over an event of these fields."""
    return matcher.match_all([event(message=message, syslog_severity=severity, trap_oid=oid)])[0]


def event_json(**overrides: Any) -> bytes:
    """An event as a producer writes it."""
    body = {"timestamp": "2026-03-01T12:00:00Z", "hostname": "h1", "message": "m"} | overrides
    return json.dumps(body, ensure_ascii=False).encode()


def rule(**overrides: Any) -> Rule:
    defaults = {
        "id": 1,
        "match_string": "link down",
        "prod_handling": Handling.PAGE_AND_TICKET,
        "dev_handling": Handling.LOG_ONLY,
        "team_assignment": "netops",
    }
    return Rule(**defaults | overrides)


def rule_set(*rules: Rule, **overrides: Any) -> RuleSet:
    defaults = {"version": 1, "digest": "0" * 64, "rules": rules, "config": DynamicConfig()}
    return RuleSet(**defaults | overrides)


def dead_letter(**overrides: Any) -> DeadLetter:
    defaults = {
        "id": uuid.uuid4(),
        "reason": Reason.SHED,
        "detail": "shed under pressure",
        "topic": "mutt.ingest.syslog",
        "partition": 0,
        "offset": 7,
        "timestamp": 1_772_366_400_000,
        "key": b"h1",
        "value": event_json(),
        "first_failed_at": dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC),
        "last_failed_at": dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC),
    }
    return DeadLetter(**defaults | overrides)


def alert(**overrides: Any) -> Alert:
    defaults: dict[str, Any] = {
        "id": uuid.uuid4(),
        "event_id": "mutt.ingest.syslog:0:7",
        "topic": "mutt.ingest.syslog",
        "partition": 0,
        "offset": 7,
        "hostname": "h1",
        "severity": AlertSeverity.MAJOR,
        "description": "link down",
        "signature": "h1::1::",
        "team": "netops",
        "handling": "Page_and_ticket",
        "rule_id": 1,
        "rule_version": 1,
        "ruleset_version": 1,
        "correlation_id": "mutt.ingest.syslog:0:7",
        "occurred_at": "2026-03-01T12:00:00Z",
        "event": {"hostname": "h1", "message": "link down"},
    }
    return Alert(**defaults | overrides)
