"""Matching on real rules and real lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.rule_files import read_rules
from schemas.rules import Rule
from streams.core.matching import Matcher, compile_rules
from tests import oracle
from tests.builders import match, rule_set

pytestmark = pytest.mark.corpus

DATA = Path(__file__).parents[4] / "shared" / "data"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    return [read.rule for read in read_rules((DATA / "rules_recog.jsonl").read_bytes())]


@pytest.fixture(scope="module")
def examples() -> list[tuple[int, str]]:
    """Rule id (its line) and a text it must match."""
    return [(id, text) for id, row in enumerate(rows("rules_recog.jsonl"), 1) for text in row["examples"]]


@pytest.fixture(scope="module")
def shared(rules: list[Rule]) -> tuple[Matcher, list[Rule]]:
    """The rules whose pattern Python reads too, compiled."""
    both = [rule for rule in rules if oracle.readable(rule)]
    assert len(both) > 1400
    return compile_rules(rule_set(*both)), both


def test_every_rule_matches_its_own_examples(rules: list[Rule], examples: list[tuple[int, str]]) -> None:
    matcher = compile_rules(rule_set(*rules))
    wrong = [
        (id, text)
        for id, text in examples
        if (found := match(matcher, text)) is None
        or (found.id > id)  # an earlier rule may match as well; a later one never decides
    ]
    assert wrong == []


def test_first_match_equals_the_oracle_on_real_texts(
    shared: tuple[Matcher, list[Rule]], examples: list[tuple[int, str]]
) -> None:
    matcher, both = shared
    lines = [row["raw"] for row in rows("syslog_lines.jsonl")][::40]
    for text in [text for _, text in examples[::8]] + lines:
        assert match(matcher, text) == oracle.first_match(both, text, None, None), text
