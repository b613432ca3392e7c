"""Rules: refused with words or compiled, and what is compiled matches as a plain matcher says, where both read it."""

from __future__ import annotations

import re

from schemas.errors import RuleRefused
from schemas.events import Event
from schemas.rule_fields import rule_from_mapping
from schemas.rules import Rule
from streams.adapters.patterns import refusal
from streams.core.expressions import expression, tested
from streams.core.matching import compile_rules
from tests import oracle
from tests.builders import rule_set
from tests.fuzz.targets.reader import Reader

TYPES = ("regex", "contains")
LONGEST_PATTERN, LONGEST_SUBJECT = 40, 12
"""The plain matcher backtracks."""
_COMMON = re.compile(r"(?:[ -#%-'+-/0-9:->@-Z_`a-z~é日]|[.?*|()]|\\[dwsDWS.\\])*")
"""What both engines read alike; neither ends of lines nor classes nor bounds."""
_DOUBLE = re.compile(r"[?*+][?*+]|\(\?")
_COSTLY = re.compile(r"\d{2}|\{.*\{.*\{")
"""Bounds that the guard's child process is there for."""


def check(data: bytes) -> None:
    reader = Reader(data)
    match_type, subject, pattern = reader.choice(TYPES), reader.text()[:LONGEST_SUBJECT], reader.rest()
    text = pattern.decode("utf-8", "surrogateescape")[:LONGEST_PATTERN]
    rule = _saved({"match_type": match_type, "match_string": text, "prod_handling": "Page_only"})
    if rule is None or (match_type == "regex" and _COSTLY.search(text)):
        return
    refused = refusal(expression(tested(rule)))
    if refused is not None:
        assert refused
        assert match_type == "regex", f"a plain text is refused: {refused}"
        return
    matcher = compile_rules(rule_set(rule))
    event = Event(timestamp=None, hostname="h", message=subject)
    found = matcher.match_all([event])[0] is not None
    if match_type == "contains" or (_COMMON.fullmatch(text) and not _DOUBLE.search(text) and oracle.readable(rule)):
        assert found == oracle.tests_true(rule, subject, None), (match_type, text, subject, found)


def _saved(fields: dict[str, object]) -> Rule | None:
    try:
        return rule_from_mapping(fields | {"dev_handling": "Log_only"}, id=1)
    except RuleRefused:
        return None
