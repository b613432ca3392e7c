"""A rule as people write it, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import RuleRefused
from schemas.rule_fields import rule_from_mapping
from schemas.rules import AlertSeverity, Handling, MatchType, Mode, Rule, SeverityMatch

GOOD = {"match_string": "link down", "prod_handling": "Page_only", "dev_handling": "Ignore"}


def read(**overrides: Any) -> Rule:
    return rule_from_mapping({name: value for name, value in (GOOD | overrides).items() if value != ...}, id=1)


def problems(**overrides: Any) -> tuple[str, ...]:
    with pytest.raises(RuleRefused) as caught:
        read(**overrides)
    return caught.value.problems


def test_what_is_left_out_takes_the_documented_default() -> None:
    assert read() == Rule(
        id=1, match_string="link down", prod_handling=Handling.PAGE_ONLY, dev_handling=Handling.IGNORE, priority=100
    )


def test_every_field_is_read() -> None:
    full = read(
        match_type="oid_prefix",
        trap_oid=".1.3.6",
        syslog_severity=0,
        severity_match="or_worse",
        priority=0,
        team_assignment="netops",
        alert_severity="major",
        description="",
        is_active=False,
        mode="monitor",
    )
    assert (full.match_type, full.trap_oid, full.syslog_severity) == (MatchType.OID_PREFIX, "1.3.6", 0)
    assert (full.severity_match, full.alert_severity) == (SeverityMatch.OR_WORSE, AlertSeverity.MAJOR)
    assert (full.is_active, full.mode, full.priority, full.team_assignment) == (False, Mode.MONITOR, 0, "netops")


@pytest.mark.parametrize(
    ("written", "handling"),
    [
        (" page_ONLY ", Handling.PAGE_ONLY),
        ("PAGE_AND_TICKET", Handling.PAGE_AND_TICKET),
        ("suppress", Handling.IGNORE),
        ("Suppress", Handling.IGNORE),
        ("ignore", Handling.IGNORE),
    ],
)
def test_R6_handling_is_read_in_any_case_and_kept_in_one(written: str, handling: Handling) -> None:
    assert read(prod_handling=written).prod_handling is handling


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", -1),
        ("priority", 2**31),
        ("priority", "1"),
        ("priority", True),
        ("priority", 1.0),
        pytest.param("priority", 10**5000, id="priority-huge"),
        ("syslog_severity", 8),
        ("syslog_severity", "3"),
        ("prod_handling", "page"),
        ("prod_handling", 3),
        ("prod_handling", ...),
        ("prod_handling", "x" * 10000),
        ("dev_handling", None),
        ("team_assignment", "x" * 101),
        ("team_assignment", " "),
        ("team_assignment", "a\0"),
        ("match_type", "glob"),
        ("is_active", "yes"),
        ("is_active", 1),
        ("mode", "on"),
        ("alert_severity", "5"),
        ("description", ["a"]),
        ("created_by", "me"),
    ],
)
def test_R6_a_bad_field_is_named(field: str, value: object) -> None:
    (problem,) = problems(**{field: value})
    assert problem.replace("'", "").startswith(f"{field}: ")
    assert len(problem) < 300


@pytest.mark.parametrize("bad", ["", "a\0b", "\ud800", "x" * 4097, "é" * 2049])
def test_R4_a_match_string_that_no_engine_can_hold(bad: str) -> None:
    (problem,) = problems(match_string=bad)
    assert problem.startswith("match_string: ")


@pytest.mark.parametrize("verb", ["(*UTF8)a", "(*UCP)a", "(*CRLF)a"])
def test_R4_options_of_the_engine_are_not_the_rules_to_set(verb: str) -> None:
    assert "must not start with (*" in problems(match_type="regex", match_string=verb)[0]
    assert read(match_string=verb).match_string == verb


def test_R3b_the_longest_match_string() -> None:
    assert read(match_string="é" * 2048).match_string == "é" * 2048


@pytest.mark.parametrize(
    "oid",
    [
        "",
        "1.3.6..1",
        "1.3.6.1.",
        "1.3.*",
        "1.03.6",
        "1.3.4294967296",
        ".".join("1" * 129),
        "3.1",
        "..1",
        "1.3\n",
        "\uff11.3",
    ],
)
def test_R5_what_is_no_oid(oid: str) -> None:
    (problem,) = problems(match_type="oid_prefix", trap_oid=oid)
    assert problem.startswith("trap_oid: ")


@pytest.mark.parametrize(
    ("oid", "kept"), [(".1.3", "1.3"), ("1.3.4294967295", "1.3.4294967295"), (".".join("1" * 128),) * 2, ("0", "0")]
)
def test_R5_a_leading_dot_is_dropped(oid: str, kept: str) -> None:
    assert read(match_type="oid_prefix", trap_oid=oid).trap_oid == kept


def test_R6_the_tested_column_must_be_there() -> None:
    (problem,) = problems(match_string=..., trap_oid="1.3")
    assert problem.startswith("match_string: ")
    assert "oid_prefix" in problem
    assert problems(match_type="oid_prefix")[0].startswith("trap_oid: ")
    assert read(match_type="any", match_string=None).match_type is MatchType.ANY


@pytest.mark.parametrize("text", ["{event.__class__}", "%n", "{0:1000000000}"])
def test_R7_text_is_never_formatted(text: str) -> None:
    kept = read(description=text, team_assignment=text, match_string=text)
    assert (kept.description, kept.team_assignment, kept.match_string) == (text, text, text)


def test_all_problems_come_at_once() -> None:
    assert len(problems(match_string="", priority=-1, prod_handling="page", extra=1)) == 4


def test_defaults_for_handling_are_the_callers() -> None:
    rule = rule_from_mapping(
        {"match_string": "a"}, id=7, default_prod=Handling.TICKET_ONLY, default_dev=Handling.LOG_ONLY
    )
    assert (rule.id, rule.prod_handling, rule.dev_handling) == (7, Handling.TICKET_ONLY, Handling.LOG_ONLY)
