"""Matching: tables, and random rules against the linear oracle."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.config import DynamicConfig
from schemas.errors import RuleRefused
from schemas.events import Disposition
from schemas.rules import AlertSeverity, Handling, MatchType, Mode, Rule, SeverityMatch
from streams.core.matching import Knowledge, compile_rules
from streams.core.pattern_databases import EDITS
from tests import oracle
from tests.builders import event, match, rule, rule_set


def regex(pattern: str, **overrides: object) -> Rule:
    return rule(match_type=MatchType.REGEX, match_string=pattern, **overrides)


def trap(prefix: str, **overrides: object) -> Rule:
    return rule(**{"match_type": MatchType.OID_PREFIX, "match_string": None, "trap_oid": prefix} | overrides)


def any_event(**overrides: object) -> Rule:
    return rule(match_type=MatchType.ANY, match_string=None, **overrides)


def decided(*rules: Rule, message: str = "m", severity: int | None = None, oid: str | None = None) -> int | None:
    found = match(compile_rules(rule_set(*rules)), message, severity, oid)
    return found and found.id


def test_no_rules_match_nothing() -> None:
    assert decided() is None


def test_the_lowest_priority_number_wins_and_ties_go_to_the_lowest_id() -> None:
    first, second, third = (rule(id=id, match_string="a", priority=p) for id, p in ((9, 1), (3, 5), (2, 5)))
    assert decided(third, second, first, message="A") == 9
    assert decided(second, third, message="a") == 2


def test_order_in_the_text_means_nothing() -> None:
    assert decided(rule(id=1, match_string="late"), rule(id=2, match_string="early"), message="early late") == 1


@pytest.mark.parametrize("skipped", [{"is_active": False}, {"mode": Mode.MONITOR}])
def test_inactive_and_monitored_rules_decide_nothing(skipped: dict[str, object]) -> None:
    assert decided(rule(id=1, match_string="a", **skipped), rule(id=2, match_string="a"), message="a") == 2
    assert decided(any_event(id=1, **skipped)) is None


@pytest.mark.parametrize("make", [lambda **o: rule(match_string="m", **o), lambda **o: trap("1.3", **o), any_event])
@pytest.mark.parametrize(
    ("how", "passing"), [(SeverityMatch.EXACT, {3}), (SeverityMatch.OR_WORSE, {0, 1, 2, 3})], ids=["exact", "or_worse"]
)
def test_the_severity_filter_holds_for_every_match_type(
    make: type[Rule], how: SeverityMatch, passing: set[int]
) -> None:
    one = make(syslog_severity=3, severity_match=how)
    seen = {severity for severity in (None, *range(8)) if decided(one, severity=severity, oid="1.3.6")}
    assert seen == passing


def test_a_rule_whose_severity_fails_leaves_the_event_to_the_next() -> None:
    rules = (rule(id=1, match_string="m", syslog_severity=0), any_event(id=2, syslog_severity=1), any_event(id=3))
    assert [decided(*rules, severity=severity) for severity in (0, 1, 2, None)] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    ("prefix", "oid", "matches"),
    [
        ("1.3.6.1.4.1.9", "1.3.6.1.4.1.9", True),
        ("1.3.6.1.4.1.9", "1.3.6.1.4.1.9.1", True),
        ("1.3.6.1.4.1.9", "1.3.6.1.4.1.90", False),
        ("1.3.6.1.4.1.9", "1.3.6.1.4.1", False),
        (".1.3", "1.3.6", True),
        ("1.3", ".1.3.6", True),
        ("1", "1.3", True),
        ("1.3", None, False),
        ("1.3", "", False),
    ],
)
def test_R5_an_oid_prefix_matches_whole_arcs(prefix: str, oid: str | None, matches: bool) -> None:
    assert (decided(trap(prefix), oid=oid) is not None) is matches


def test_only_the_tested_column_counts() -> None:
    assert decided(trap("1.3", match_string="m"), message="m") is None
    assert decided(rule(match_string="m", trap_oid="1.3"), message="x", oid="1.3") is None


@pytest.mark.parametrize(
    "text", [r"a.b*[c]^$|(\d)?", "a\nb", 'c:\\temp "x"', "tab\there", "100 %", "é.É", "{2}", "<8>"]
)
def test_contains_is_text_and_never_a_pattern(text: str) -> None:
    assert decided(rule(match_string=text), message=f"x{text.upper()}y") == 1
    assert decided(rule(match_string=text), message=text[:-1] + "_") is None


def test_R4b_case_beyond_ascii() -> None:
    assert decided(rule(match_string="état é"), message="ÉTAT É") == 1
    assert decided(regex("é+$"), message="éÉ") == 1
    assert decided(regex(r"\bx\b"), message="é x") == 1


def test_an_empty_message_is_judged() -> None:
    assert decided(rule(match_string="a"), any_event(id=2), message="") == 2


def test_R1_hostile_patterns_stay_cheap_on_long_messages() -> None:
    hostile = ("(a+)+$", "(.*a){30}", "(x+x+)+y", "(a|aa)+$", "^(a?){50}a{50}$")
    matcher = compile_rules(rule_set(*(regex(pattern, id=id) for id, pattern in enumerate(hostile, start=1))))
    assert match(matcher, "b" * 65000 + "!") is None
    assert match(matcher, "a" * 65536) is not None


def test_a_refused_stored_pattern_is_named() -> None:
    with pytest.raises(RuleRefused) as caught:
        compile_rules(rule_set(rule(id=1), regex(r"(a)\1", id=77)))
    assert caught.value.problems == ("rule 77: Back-references are unsupported.",)


def test_a_fork_answers_alike() -> None:
    matcher = compile_rules(rule_set(rule(match_string="a"), trap("1.3", id=2)))
    fork = matcher.fork()
    assert [match(fork, "A"), match(fork, "x", 3, "1.3.6")] == list(matcher.rules)


texts = st.text(alphabet="abAB 1.\n\\$(é", min_size=1, max_size=4)
atoms = st.sampled_from(["a", "b", "B", "1", r"\d", r"\w", "[^a]", "[a-c]", ".", " ", r"\.", "(?:ab)"])
repeats = st.sampled_from(["", "", "+", "{2}", "{1,3}", "*", "?"])
parts = st.tuples(atoms, repeats).map("".join)
# The last part never matches the empty text, so that no pattern does.
patterns = st.tuples(st.sampled_from(["", "^", "(?i)"]), st.lists(parts, max_size=3).map("".join), atoms).map("".join)
alternatives = st.lists(patterns.filter(lambda one: not one.startswith("(?i)")), min_size=1, max_size=2).map("|".join)
oids = st.lists(st.sampled_from(["1", "3", "6", "41", "4"]), min_size=1, max_size=5).map(".".join)
severities = st.none() | st.integers(0, 7)
random_rules = st.builds(
    lambda id, type, text, pattern, **fields: rule(
        id=id, match_type=type, match_string=pattern if type is MatchType.REGEX else text, **fields
    ),
    id=st.integers(1, 1000),
    type=st.sampled_from(MatchType),
    text=texts,
    pattern=patterns | alternatives,
    trap_oid=oids,
    syslog_severity=severities,
    severity_match=st.sampled_from(SeverityMatch),
    priority=st.integers(0, 3),
    is_active=st.sampled_from([True, True, True, False]),
    mode=st.sampled_from([Mode.ACTIVE, Mode.ACTIVE, Mode.MONITOR]),
)
messages = st.text(alphabet="abcABC 1.\\$(éÉ", max_size=12)


@settings(max_examples=300)
@given(
    rules=st.lists(random_rules, max_size=8, unique_by=lambda one: one.id),
    events=st.lists(st.tuples(messages, severities, st.none() | oids | oids.map(".".__add__)), min_size=1, max_size=8),
)
def test_the_matcher_equals_the_linear_oracle(
    rules: list[Rule], events: list[tuple[str, int | None, str | None]]
) -> None:
    matcher = compile_rules(rule_set(*rules))
    for message, severity, oid in events:
        assert match(matcher, message, severity, oid) == oracle.first_match(rules, message, severity, oid)


@settings(max_examples=100)
@given(
    edits=st.lists(st.lists(random_rules, max_size=6, unique_by=lambda one: one.id), min_size=2, max_size=4),
    events=st.lists(st.tuples(messages, severities, st.none() | oids), min_size=1, max_size=6),
)
def test_the_matcher_equals_the_linear_oracle_after_every_edit(
    edits: list[list[Rule]], events: list[tuple[str, int | None, str | None]]
) -> None:
    matcher = compile_rules(rule_set())
    for rules in edits:
        matcher = matcher.follow(rule_set(*rules))
        for message, severity, oid in events:
            assert match(matcher, message, severity, oid) == oracle.first_match(rules, message, severity, oid)


def test_an_edit_compiles_what_is_new_beside_the_rest_until_it_is_much() -> None:
    first = compile_rules(rule_set(rule(id=1, match_string="a"), rule(id=2, match_string="b")))
    few = first.follow(rule_set(rule(id=1, match_string="c"), rule(id=2, match_string="b")))
    again = few.follow(rule_set(rule(id=1, match_string="a", priority=5), rule(id=3, match_string="c")))
    many = few.follow(rule_set(*(rule(id=id, match_string=f"x{id}") for id in range(EDITS + 1))))
    less = first.follow(rule_set(rule(id=2, match_string="b")))
    more = first.follow(rule_set(*first.rules, rule(id=3, match_string="c")))
    assert [one.compact for one in (first, few, again, many, less, more)] == [True, False, False, True, False, False]
    assert [match(few, text) for text in ("a", "b", "c")] == [None, few.rules[1], few.rules[0]]
    assert [match(again, text) for text in ("a", "b", "c")] == [again.rules[0], None, again.rules[1]]


def test_an_edit_that_the_engine_refuses_is_named() -> None:
    first = compile_rules(rule_set(rule(id=1)))
    with pytest.raises(RuleRefused) as caught:
        first.follow(rule_set(rule(id=1), regex(r"(a)\1", id=77)))
    assert caught.value.problems == ("rule 77: Back-references are unsupported.",)


def test_development_hosts_use_their_own_handling() -> None:
    known = Knowledge.of(rule_set(rule(match_string="m"), development_hosts=frozenset({"dev1"})))
    assert known.judge(event(hostname="h1")).handling is Handling.PAGE_AND_TICKET
    assert known.judge(event(hostname="dev1")).handling is Handling.LOG_ONLY
    assert known.judge(event(hostname="DEV1")).handling is Handling.PAGE_AND_TICKET


def test_the_team_is_the_rules_else_the_hosts_else_the_default() -> None:
    teams = {"h1": "routing"}
    config = DynamicConfig(unhandled_default_team="everyone")
    own = Knowledge.of(rule_set(rule(match_string="m"), device_teams=teams, config=config))
    none = Knowledge.of(rule_set(rule(match_string="m", team_assignment=None), device_teams=teams, config=config))
    assert own.judge(event(hostname="h1")).team == "netops"
    assert none.judge(event(hostname="h1")).team == "routing"
    assert none.judge(event(hostname="h2")).team == "everyone"
    assert none.judge(event(hostname="h1", message="other")).team == "routing"


@pytest.mark.parametrize(
    ("handling", "disposition"),
    [
        (Handling.PAGE_AND_TICKET, Disposition.ALERTED),
        (Handling.PAGE_ONLY, Disposition.ALERTED),
        (Handling.TICKET_ONLY, Disposition.ALERTED),
        (Handling.EMAIL_ONLY, Disposition.LOGGED),
        (Handling.LOG_ONLY, Disposition.LOGGED),
        (Handling.IGNORE, Disposition.IGNORED),
    ],
)
def test_handling_decides_the_disposition(handling: Handling, disposition: Disposition) -> None:
    known = rule_set(rule(match_string="m", prod_handling=handling))
    assert Knowledge.of(known).judge(event()).disposition is disposition
    assert Knowledge.of(known).judge(event(message="x")).disposition is Disposition.UNHANDLED


def test_alert_severity_is_the_rules_else_by_syslog_severity() -> None:
    by_syslog = Knowledge.of(rule_set(rule(match_string="m")))
    seen = [by_syslog.judge(event(syslog_severity=severity)).severity.value for severity in (*range(8), None)]
    assert seen == ["critical", "critical", "critical", "major", "warning", "minor", "info", "info", "warning"]
    fixed = Knowledge.of(rule_set(rule(match_string="m", alert_severity=AlertSeverity.CLEAR)))
    assert fixed.judge(event(syslog_severity=0)).severity is AlertSeverity.CLEAR


def test_events_judged_together_get_the_judgement_that_each_gets_alone() -> None:
    known = Knowledge.of(rule_set(rule(match_string="down"), rule(id=2, match_string="up", team_assignment="other")))
    events = [event(message=text) for text in ("odd", "link down", "odd", "link up", "link down")]
    together = known.judge_all(events)
    assert [(one.rule and one.rule.id, one.team) for one in together] == [
        (None, "NETO"), (1, "netops"), (None, "NETO"), (2, "other"), (1, "netops"),
    ]  # fmt: skip
    assert together == [known.judge(one) for one in events]


def test_the_next_rule_set_is_compiled_only_where_its_rules_changed() -> None:
    before = Knowledge.of(rule_set(rule(id=1, match_string="a")))
    hosts = replace(before.rule_set, version=before.rule_set.version + 1, development_hosts=frozenset({"h"}))
    after = before.follow(hosts)
    assert after.matcher is before.matcher
    assert after.rule_set is hosts
    rules = rule_set(rule(id=1, match_string="b"))
    changed = before.follow(rules)
    assert changed.matcher is not before.matcher
    assert changed.rule_set is rules
    assert [found and found.id for found in changed.matcher.match_all([event(message="a"), event(message="b")])] == [
        None,
        1,
    ]
