"""Rules in bodies: the members are those of rules, and every fault is told once."""

from __future__ import annotations

from typing import Any

from api.problems import Fault
from api.rule_bodies import MOST_FAULTS, RULE_FIELDS, NewRule, ShownRule, author_fields, read_rule, read_rules
from api.rules import RulePatch, merge
from schemas.rules import Handling
from streams.adapters.rules import COLUMNS
from tests.builders import rule

GOOD: dict[str, Any] = {"match_string": "link down", "prod_handling": " page_ONLY ", "dev_handling": "suppress"}


def test_members_are_the_columns_of_rules() -> None:
    assert set(RULE_FIELDS) == set(COLUMNS)
    assert set(NewRule.__struct_fields__) == set(RulePatch.__struct_fields__) == {*COLUMNS, "reason"}
    assert set(ShownRule.__struct_fields__) == {*COLUMNS, "id", "version", "updated_at", "retired_at", "warnings"}


def test_a_rule_is_read_in_its_canonical_form() -> None:
    faults: list[Fault] = []
    read = read_rule(GOOD, faults, id=7)
    assert read is not None
    assert (read.id, read.prod_handling, read.dev_handling, faults) == (7, Handling.PAGE_ONLY, Handling.IGNORE, [])


def test_what_is_wrong_in_two_ways_is_told_once() -> None:
    faults: list[Fault] = []
    assert read_rule(GOOD | {"priority": "1", "match_string": "", "x": 1}, faults, pointer="/rules/3") is None
    assert sorted(str(fault.pointer) for fault in faults) == [
        "/rules/3/match_string",
        "/rules/3/priority",
        "/rules/3/x",
    ]


def test_of_a_long_list_of_faults_the_rest_is_not_read() -> None:
    faults: list[Fault] = []
    assert len(read_rules([GOOD, *[{}] * 10_000], faults, pointer="/rules")) == 1
    assert MOST_FAULTS < len(faults) < MOST_FAULTS + 10
    assert "not read" in faults[-1].detail


def test_a_merge_patch_takes_members_back_and_keeps_what_is_unknown() -> None:
    there = author_fields(rule(priority=3, team_assignment="netops"))
    merged = merge(there, {"priority": None, "match_string": "x", "other": None})
    assert merged == {name: value for name, value in there.items() if name != "priority"} | {
        "match_string": "x",
        "other": None,
    }
