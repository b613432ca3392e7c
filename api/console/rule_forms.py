"""The form of a rule: its fields as a browser sends them, and as the API takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.console.rendering import seen
from api.problems import Problem
from api.rule_bodies import RULE_FIELDS
from schemas.rules import AlertSeverity, Handling, MatchType, Mode, SeverityMatch

WHOLE = ("syslog_severity", "priority")
LAST = 1000
"""Audited events over which a rule is tried."""
MOST_LINES = 1000

CHOICES: Mapping[str, Sequence[str]] = {
    "match_type": tuple(MatchType),
    "severity_match": tuple(SeverityMatch),
    "prod_handling": tuple(Handling),
    "dev_handling": tuple(Handling),
    "alert_severity": ("", *AlertSeverity),
    "mode": tuple(Mode),
}

NEW: Mapping[str, str] = {
    "match_type": MatchType.CONTAINS,
    "severity_match": SeverityMatch.EXACT,
    "priority": "100",
    "prod_handling": Handling.TICKET_ONLY,
    "dev_handling": Handling.LOG_ONLY,
    "is_active": "true",
    "mode": Mode.ACTIVE,
}
"""What the form of a new rule begins with."""


def fields_of(rule: Mapping[str, Any]) -> dict[str, str]:
    """A rule of the API as the form shows it."""
    return {name: _text(rule.get(name)) for name in RULE_FIELDS}


def body_of(form: Mapping[str, str]) -> dict[str, Any]:
    """What the API is sent. What is no number stays as it is, so that the API says what is wrong with it."""
    body: dict[str, Any] = {name: form[name] for name in RULE_FIELDS if form.get(name, "") != ""}
    for name in WHOLE:
        if name in body and body[name].strip().lstrip("-").isdecimal():
            body[name] = int(body[name])
    body["is_active"] = form.get("is_active") == "true"
    return body


def trial_of(form: Mapping[str, str], rule_id: int | None) -> dict[str, Any]:
    """A dry run of the rule in the form: over its lines, and over events that were audited last."""
    lines = [line for line in form.get("lines", "").split("\n") if line.strip()][:MOST_LINES]
    asked: dict[str, Any] = {"rule": body_of(form), "lines": lines, "last": LAST}
    return asked | ({"rule_id": rule_id} if rule_id is not None else {})


def faults_of(problem: Problem) -> dict[str, str]:
    """What is wrong, by field; what belongs to none by the empty name."""
    found: dict[str, str] = {}
    for fault in problem.errors:
        name = (fault.pointer or "").removeprefix("/rule").removeprefix("/")
        found.setdefault(name if name in (*RULE_FIELDS, "reason", "lines") else "", fault.detail)
    return found or {"": problem.detail}


def pointed(problem: Problem, form: Mapping[str, str]) -> dict[str, str]:
    """By field, the text up to where it is wrong and what follows, on a line of its own under it a mark."""
    found: dict[str, str] = {}
    for fault in problem.errors:
        name = (fault.pointer or "").rpartition("/")[2]
        if fault.position is not None and name in form:
            found.setdefault(name, _marked(form[name], fault.position))
    return found


AROUND = 40


def _marked(text: str, position: int) -> str:
    begin, end = max(0, position - AROUND), position + AROUND
    before, after = ("…" if begin else "") + text[begin:position], text[position:end] + ("…" if end < len(text) else "")
    return f"{seen(before)}{seen(after)}\n{' ' * len(seen(before))}^"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    return "" if value is None else str(value)
