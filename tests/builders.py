"""Smallest valid values for tests; every field can be overridden."""

from __future__ import annotations

import json
from typing import Any

from schemas.config import DynamicConfig
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
