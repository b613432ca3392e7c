"""The pattern guard: what is accepted, refused, stopped and warned of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.rules import MatchType, Rule
from streams.adapters.patterns import check_patterns, pattern_warnings
from tests.builders import rule

DATA = Path(__file__).parents[4] / "shared" / "data"


def regexes(*patterns: str) -> list[Rule]:
    return [rule(match_type=MatchType.REGEX, match_string=pattern) for pattern in patterns]


def test_R1_hostile_and_unusual_patterns_are_accepted() -> None:
    patterns = ("(a+)+$", "(.*a){30}", "(x+x+)+y", "(a|aa)+$", "^(a?){50}a{50}$", "a{1001}", r"\p{L}", r"\b", r"\Q..\E")
    assert check_patterns(regexes(*patterns, "(?<n>a)", "é")) == []


@pytest.mark.parametrize(
    ("pattern", "words", "position"),
    [
        (r"(a)\1", "Back-references are unsupported.", None),
        ("a(?=b)", "Zero-width assertions are not supported.", None),
        ("(?<!a)b", "Zero-width assertions are not supported.", None),
        ("(?>a)", "Atomic groups are unsupported.", None),
        ("a++", "Possessive quantifiers are not supported.", None),
        ("(", "Missing close parenthesis for group started at index 0.", 0),
        ("[z-a]", "Range out of order in character class at index 3.", 3),
        (r"\p{Bogus}", "Unknown property at index 3.", 3),
        (r"\u0041", "'\\u' at index 0 not supported.", 0),
        (r"é日a\R", r"\R at index 3 not supported.", 3),
        ("a{32768}", "Bounded repeat is too large.", None),
        ("a{32767}", "Resource limit exceeded.", None),
        ("(?:.{1,30}x){300}", "Pattern is too large.", None),
    ],
)
def test_R2_refused_in_the_engines_words_with_the_position(pattern: str, words: str, position: int | None) -> None:
    assert check_patterns(regexes(pattern)) == [(0, words, position)]


@pytest.mark.parametrize("pattern", ["(?(1)a)", "(?R)", r"\K"])
def test_R2_other_dialects_are_refused(pattern: str) -> None:
    assert len(check_patterns(regexes(pattern))) == 1


@pytest.mark.parametrize("pattern", ["a*", ".*", "", "^", "$", "x?$", "^$"])
def test_R3_catch_alls_are_refused_and_told_what_to_use(pattern: str) -> None:
    (problem,) = check_patterns(regexes(pattern))
    assert "match_type is any" in problem.reason


def test_R2c_what_compiles_too_long_is_stopped_and_the_rest_is_checked() -> None:
    problems = check_patterns(regexes("good", "(ab{1,500}){500}", "good", "(", "(.{1,1000}a){100}", "good"))
    assert [problem.rule for problem in problems] == [1, 3, 4]
    assert all("of CPU" in problems[index].reason for index in (0, 2))


def test_R4_a_nul_never_reaches_the_engine() -> None:
    assert "NUL" in check_patterns(regexes("a\0b"))[0].reason


def test_many_patterns_keep_their_numbers_across_children() -> None:
    patterns = [f"word{number}" if number % 100 else "(" for number in range(1000)]
    assert [problem.rule for problem in check_patterns(regexes(*patterns))] == list(range(0, 1000, 100))


def test_only_patterns_are_compiled() -> None:
    others = [rule(match_type=MatchType.ANY), rule(match_type=MatchType.OID_PREFIX), rule(match_string="(a|*")]
    assert check_patterns(others) == []
    assert check_patterns([rule(match_string="." * 4096)]) == []


def test_R4b_escapes_without_meaning_are_warned_of() -> None:
    (warned,) = regexes(r"\yword\y \<x\> \8 \d \\y \.")
    assert len(pattern_warnings(warned)) == 4
    assert pattern_warnings(rule(match_string=r"\y")) == []


@pytest.mark.corpus
def test_the_real_patterns_that_are_refused() -> None:
    rows = [json.loads(line) for line in (DATA / "rules_refused.jsonl").read_text(encoding="utf-8").splitlines()]
    problems = check_patterns(regexes(*(row["match_string"] for row in rows)))
    assert [problem.rule for problem in problems] == list(range(15))
    for row, problem in zip(rows, problems, strict=True):
        assert problem.reason.startswith(row["refusal"])


@pytest.mark.corpus
def test_the_real_patterns_that_are_accepted() -> None:
    rows = [json.loads(line) for line in (DATA / "rules_recog.jsonl").read_text(encoding="utf-8").splitlines()]
    assert check_patterns(regexes(*(row["match_string"] for row in rows))) == []
