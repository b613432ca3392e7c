"""Smallest valid values for tests; every field can be overridden."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

from schemas.config import DynamicConfig
from schemas.dead_letters import DeadLetter, Reason
from schemas.events import Event
from schemas.rules import Handling, Rule, RuleSet


def event(**overrides: Any) -> Event:
    return Event(**{"timestamp": "2026-03-01T12:00:00Z", "hostname": "h1", "message": "m"} | overrides)


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
