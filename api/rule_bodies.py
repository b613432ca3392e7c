"""Rules in the bodies of requests: every fault at once, with a pointer to it, and rules as v2 shows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api.pattern_guard import PatternGuard
from api.problems import Fault, Invalid
from api.reasons import Reason
from schemas.errors import RuleRefused
from schemas.json_checks import pointer_to
from schemas.json_faults import faults_in
from schemas.rule_fields import DESCRIPTION_LIMIT, MATCH_STRING_LIMIT, PRIORITY_LIMIT, TEAM_LIMIT, rule_from_mapping
from schemas.rules import AlertSeverity, Handling, MatchType, Mode, Rule, SeverityMatch
from streams.adapters.patterns import pattern_warnings
from streams.core.rule_book import StoredRule


def words(kind: type[StrEnum], *more: str) -> Meta:
    """Of a closed set as people write it: any case goes in, one comes out."""
    return Meta(extra_json_schema={"enum": [*kind, *more]})


MatchString = Annotated[str, Meta(min_length=1, max_length=MATCH_STRING_LIMIT)]
Oid = Annotated[str, Meta(max_length=1500, examples=["1.3.6.1.4.1.9"])]
Severity = Annotated[int, Meta(ge=0, le=7)]
Priority = Annotated[int, Meta(ge=0, le=PRIORITY_LIMIT)]
TeamName = Annotated[str, Meta(min_length=1, max_length=TEAM_LIMIT, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
HandlingWord = Annotated[str, words(Handling, "Suppress")]


class RuleBody(Struct, forbid_unknown_fields=True, kw_only=True):
    """A rule as its author writes it. Handling, match type and the like are read in any case."""

    match_type: Annotated[str, words(MatchType)] = MatchType.CONTAINS
    match_string: MatchString | None = None
    trap_oid: Oid | None = None
    syslog_severity: Severity | None = None
    severity_match: Annotated[str, words(SeverityMatch)] = SeverityMatch.EXACT
    priority: Priority = 100
    prod_handling: HandlingWord
    dev_handling: HandlingWord
    team_assignment: TeamName | None = None
    alert_severity: Annotated[str, words(AlertSeverity)] | None = None
    description: Annotated[str, Meta(max_length=DESCRIPTION_LIMIT)] | None = None
    is_active: bool = True
    mode: Annotated[str, words(Mode)] = Mode.ACTIVE


class NewRule(RuleBody, forbid_unknown_fields=True, kw_only=True):
    """A rule, and why it is written."""

    reason: Reason | None = None


class ShownRule(Struct, frozen=True, kw_only=True):
    """A rule as it stands."""

    id: int
    version: int
    match_type: MatchType
    match_string: str | None
    trap_oid: str | None
    syslog_severity: int | None
    severity_match: SeverityMatch
    priority: int
    prod_handling: Handling
    dev_handling: Handling
    team_assignment: str | None
    alert_severity: AlertSeverity | None
    description: str | None
    is_active: bool
    mode: Mode
    updated_at: dt.datetime
    retired_at: dt.datetime | None
    """Since when it decides nothing; its versions stay."""
    warnings: list[str]
    """What is probably not meant in its pattern."""


RULE_FIELDS = RuleBody.__struct_fields__
MOST_FAULTS = 100
"""Of a list of rules."""


def shown_rule(stored: StoredRule) -> ShownRule:
    fields: dict[str, Any] = {name: getattr(stored.rule, name) for name in Rule.__struct_fields__}
    return ShownRule(
        **fields,
        updated_at=stored.updated_at,
        retired_at=stored.retired_at,
        warnings=pattern_warnings(stored.rule),
    )


def author_fields(rule: Rule) -> dict[str, Any]:
    """What its author sets, as JSON has it; what holds nothing is left out."""
    fields = msgspec.to_builtins(rule)
    return {name: fields[name] for name in RULE_FIELDS if fields[name] is not None}


def read_rule(
    data: object, faults: list[Fault], *, id: int = 0, body: type[Struct] = RuleBody, pointer: str = ""
) -> Rule | None:
    """The rule in plain data, None where it has faults; these are added, one for each place."""
    found = {fault.pointer: fault.detail for fault in faults_in(data, body, pointer)}
    rule = None
    if isinstance(data, dict):
        known = {name: value for name, value in data.items() if name in RULE_FIELDS}
        try:
            rule = rule_from_mapping(known, id=id)
        except RuleRefused as refused:
            for problem in refused.problems:
                name, _, why = problem.partition(": ")
                found.setdefault(pointer_to(pointer, name), why)
    faults += [Fault(detail, pointer=place) for place, detail in found.items()]
    return None if found else rule


def read_rules(data: list[object], faults: list[Fault], *, pointer: str) -> list[Rule]:
    """The rules of a list; after MOST_FAULTS no more is read."""
    rules = []
    for place, one in enumerate(data):
        if len(faults) >= MOST_FAULTS:
            faults.append(Fault("and what comes after was not read", pointer=f"{pointer}/{place}"))
            break
        rule = read_rule(one, faults, pointer=f"{pointer}/{place}")
        if rule is not None:
            rules.append(rule)
    return rules


async def check_pattern(guard: PatternGuard, rule: Rule, old: Rule | None = None) -> None:
    """Nothing is compiled where the pattern is that of the old rule. Raises Invalid."""
    if old is None or (rule.match_type, rule.match_string) != (old.match_type, old.match_string):
        refuse_patterns(await pattern_faults(guard, [rule], [""]))


async def pattern_faults(guard: PatternGuard, rules: list[Rule], pointers: list[str]) -> list[Fault]:
    """In the words of the engine, which name the position."""
    problems = await guard.problems(rules)
    return [
        Fault(problem.reason, pointer=pointers[problem.rule] + "/match_string", position=problem.position)
        for problem in problems
    ]


def refuse_patterns(faults: Iterable[Fault]) -> None:
    """Raises Invalid where there are any."""
    if found := list(faults):
        raise Invalid(found)
