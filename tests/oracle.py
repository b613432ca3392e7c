"""A plain linear matcher with Python's `re`: what mutt must decide. It shares no code with the product's matching.

It reads the dialect that both engines share: ASCII patterns work on the bytes of the message, patterns with other
characters on its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from schemas.rules import Rule


def first_match(rules: Iterable[Rule], message: str, severity: int | None, trap_oid: str | None) -> Rule | None:
    """The rule that decides, found by asking one after the other."""
    for rule in sorted(rules, key=lambda rule: (rule.priority, rule.id)):
        if (
            rule.is_active
            and rule.mode == "active"
            and severity_passes(rule, severity)
            and tests_true(rule, message, trap_oid)
        ):
            return rule
    return None


def severity_passes(rule: Rule, severity: int | None) -> bool:
    if rule.syslog_severity is None:
        return True
    if severity is None:
        return False
    return severity <= rule.syslog_severity if rule.severity_match == "or_worse" else severity == rule.syslog_severity


def tests_true(rule: Rule, message: str, trap_oid: str | None) -> bool:
    if rule.match_type == "any":
        return True
    if rule.match_type == "oid_prefix":
        return oid_starts_with(trap_oid, rule.trap_oid or "")
    text = rule.match_string or ""
    pattern = re.escape(text) if rule.match_type == "contains" else text
    subject = message.encode() if text.isascii() else message
    return searcher(pattern, text.isascii()).search(subject) is not None


def oid_starts_with(oid: str | None, prefix: str) -> bool:
    if not oid:
        return False
    arcs, wanted = oid.lstrip(".").split("."), prefix.lstrip(".").split(".")
    return arcs[: len(wanted)] == wanted


@cache
def searcher(pattern: str, as_bytes: bool) -> re.Pattern[bytes] | re.Pattern[str]:
    """Raises re.error for what Python does not read."""
    named = re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", pattern)
    return re.compile(named.encode(), re.IGNORECASE) if as_bytes else re.compile(named, re.IGNORECASE)


def readable(rule: Rule) -> bool:
    """Whether Python reads the rule's pattern too."""
    try:
        tests_true(rule, "", None)
    except re.error:
        return False
    return True
