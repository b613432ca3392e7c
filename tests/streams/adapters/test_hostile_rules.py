"""Hundreds of hostile rules at once: all are saved and decide as a plain matcher says; the rest is refused in words."""

from __future__ import annotations

from collections import Counter

import pytest

from schemas.events import Event
from schemas.rules import MatchType, Rule
from streams.adapters.patterns import check_patterns
from streams.core.matching import Matcher, compile_rules
from tests import oracle
from tests.builders import rule, rule_set
from tests.hostile_rules import EXPONENTIAL, POLYNOMIAL, REFUSED, TEXT_LIMIT, Hostile, hostile, refused

MANY = 500
SHORT = 10
"""Characters that a matcher which backtracks still comes back from."""
PATTERNS = hostile(MANY)


def regexes(patterns: list[Hostile]) -> list[Rule]:
    return [
        rule(id=number, priority=number, match_type=MatchType.REGEX, match_string=one.pattern)
        for number, one in enumerate(patterns, 1)
    ]


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return compile_rules(rule_set(*regexes(PATTERNS)))


def decided(matcher: Matcher, message: str) -> Rule | None:
    return matcher.match_all([Event(timestamp=None, hostname="h", message=message)])[0]


def test_R1_every_family_is_there_and_every_pattern_is_saved() -> None:
    assert set(Counter(one.family for one in PATTERNS)) == {*EXPONENTIAL, *POLYNOMIAL}
    assert len({one.pattern for one in PATTERNS}) == MANY
    assert check_patterns(regexes(PATTERNS)) == []


def test_R1_hostile_rules_decide_as_a_plain_matcher_says(matcher: Matcher) -> None:
    """On short messages: the plain matcher backtracks, and never comes back from long ones."""
    rules = regexes(PATTERNS)
    for one in PATTERNS[::6]:
        for message in (one.pump + one.end, one.pump * 8, f"x{one.end} {one.pump}"):
            message = message[:SHORT]
            expected = oracle.first_match(rules, message, None, None)
            assert decided(matcher, message) == expected, (one, message)


def test_R1_hostile_rules_decide_over_64_KiB_alike_together_and_in_parts(matcher: Matcher) -> None:
    rules = regexes(PATTERNS)
    parts = [compile_rules(rule_set(*rules[at : at + 100])) for at in range(0, MANY, 100)]
    for one in PATTERNS[:: MANY // 50]:
        assert len(one.text) == TEXT_LIMIT
        found = [rule for part in parts if (rule := decided(part, one.text)) is not None]
        assert decided(matcher, one.text) == (found[0] if found else None)


def test_R2_R3_what_the_dialect_has_no_words_for_is_refused_with_a_reason() -> None:
    patterns = refused(200)
    problems = check_patterns(regexes(patterns))
    assert [problem.rule for problem in problems] == list(range(len(patterns)))
    assert all(problem.reason for problem in problems)
    assert {one.family for one in patterns} == set(REFUSED)
