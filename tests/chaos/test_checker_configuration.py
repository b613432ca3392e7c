"""The detector config, and the history that decisions are worked out from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.chaos.checker.configuration import Books, Object, Version, check_configuration
from tests.chaos.checker.evidence import Findings
from tests.chaos.checker.reading import Event
from tests.chaos.checker.rules import Book, Change, History
from tests.chaos.doctored import changes, rule

REFUSED = {"UPDATE audit SET team = team WHERE false": "audit is append-only"}


def clean() -> Books:
    """Rule 1 was made and changed; a key was set and set again; a host was added and is gone."""
    made, changed = rule(id=1, match_string="a"), rule(id=1, match_string="a", priority=5, version=2)
    before = {"priority": 100, "version": 1}
    rows = [
        Change(1, 101, 1_000, "CREATE", "alert_rules", "1", None, made),
        Change(2, 102, 2_000, "UPDATE", "alert_rules", "1", before, {"priority": 5, "version": 2}),
        Change(3, 103, 3_000, "CREATE", "dynamic_config", "k", None, {"key": "k", "value": "1"}),
        Change(4, 104, 4_000, "UPDATE", "dynamic_config", "k", {"value": "1"}, {"value": "2"}),
        Change(5, 105, 5_000, "CREATE", "development_hosts", "h", None, {"hostname": "h"}),
        Change(6, 106, 6_000, "DELETE", "development_hosts", "h", {"hostname": "h"}, None),
        Change(7, 107, 7_000, "REPLAY", "replays", "x", None, {"filter": {}}),
    ]  # fmt: skip
    objects = [
        Object("alert_rules", "1", changed | {"updated_at": "x"}, 2_000),
        Object("dynamic_config", "k", {"key": "k", "value": "2", "version": 9, "updated_at": "x"}, 4_000),
    ]
    return Books(rows, objects, [Version(1, 1, made, 1_000), Version(1, 2, changed, 2_000)], REFUSED)


def change(books: Books, number: int, **columns: Any) -> Books:
    return books._replace(changes=[c._replace(**columns) if c.id == number else c for c in books.changes])


FAULTS: dict[str, Callable[[Books], Books]] = {
    "a change without an audit row": lambda b: b._replace(changes=[c for c in b.changes if c.id != 4]),
    "the first row is gone": lambda b: b._replace(changes=b.changes[1:]),
    "old values of nobody": lambda b: change(b, 4, old={"value": "7"}),
    "made twice": lambda b: change(b, 4, old=None),
    "an object without an audit row": lambda b: b._replace(objects=[*b.objects, Object("device_teams", "h", {}, 1)]),
    "an object that is gone": lambda b: b._replace(objects=b.objects[:1]),
    "a rule was changed behind the audit": lambda b: b._replace(
        objects=[b.objects[0]._replace(content=b.objects[0].content | {"priority": 1}), b.objects[1]]
    ),
    "the audit row came later": lambda b: change(b, 4, committed=4_001),
    "a version and its audit row apart": lambda b: change(b, 1, committed=1_001),
    "a version that nobody audited": lambda b: b._replace(versions=[*b.versions, Version(1, 3, {}, 2_000)]),
    "a version that is gone": lambda b: b._replace(versions=b.versions[:1]),
    "a version of another body": lambda b: b._replace(
        versions=[b.versions[0], b.versions[1]._replace(body=b.versions[1].body | {"priority": 6})]
    ),
    "the audit can be changed": lambda b: b._replace(refused={next(iter(REFUSED)): ""}),
    "the audit is not there": lambda b: b._replace(refused={next(iter(REFUSED)): 'relation "audit" does not exist'}),
}


def test_a_clean_history_is_clean() -> None:
    out = Findings()
    check_configuration(clean(), out)
    assert out.anomalies == []
    assert out.looked["config"] == 7


@pytest.mark.parametrize("spoil", FAULTS.values(), ids=FAULTS)
def test_each_fault_of_configuration_is_noticed(spoil: Callable[[Books], Books]) -> None:
    out = Findings()
    check_configuration(spoil(clean()), out)
    assert set(out.found) == {"config"}


def test_a_value_written_again_leaves_no_row_and_is_well() -> None:
    """It is a new row version of the same content, committed later than the last audit row."""
    books = clean()
    out = Findings()
    check_configuration(books._replace(objects=[books.objects[0], books.objects[1]._replace(committed=9_000)]), out)
    assert out.anomalies == []


# -- rules ------------------------------------------------------------------------------------------------------


def book(*rules: Mapping[str, Any], **tables: Mapping[str, Mapping[str, Any]]) -> Book:
    return Book({"alert_rules": {str(row["id"]): row for row in rules}, **tables})


MATCHES: list[tuple[dict[str, Any], Event, bool | None]] = [
    ({"match_string": "Link"}, Event("h", "a LINK is down"), True),
    ({"match_string": "link."}, Event("h", "a link"), False),
    ({"match_string": "é"}, Event("h", "CAFÉ"), True),
    ({"match_type": "regex", "match_string": "port [0-9]+$"}, Event("h", "Port 17"), True),
    ({"match_type": "regex", "match_string": r"\bup\b"}, Event("h", "upper"), False),
    ({"match_type": "regex", "match_string": "[[:alpha:]]"}, Event("h", "x"), None),
    ({"match_type": "regex", "match_string": "(?i-s)x"}, Event("h", "x"), None),
    ({"match_type": "oid_prefix", "trap_oid": ".1.3.6.1.4.1.9"}, Event("h", "", None, "1.3.6.1.4.1.9.1"), True),
    ({"match_type": "oid_prefix", "trap_oid": "1.3.6.1.4.1.9"}, Event("h", "", None, "1.3.6.1.4.1.90"), False),
    ({"match_type": "oid_prefix", "trap_oid": "1.3.6.1.4.1.9"}, Event("h", ""), False),
    ({"match_type": "any"}, Event("h", ""), True),
    ({"match_type": "any", "syslog_severity": 3}, Event("h", "", 3), True),
    ({"match_type": "any", "syslog_severity": 3}, Event("h", "", 2), False),
    ({"match_type": "any", "syslog_severity": 3, "severity_match": "or_worse"}, Event("h", "", 2), True),
    ({"match_type": "any", "syslog_severity": 3, "severity_match": "or_worse"}, Event("h", "", 4), False),
    ({"match_type": "any", "syslog_severity": 3, "severity_match": "or_worse"}, Event("h", ""), False),
    ({"match_type": "any", "mode": "monitor"}, Event("h", ""), False),
    ({"match_type": "any", "is_active": False}, Event("h", ""), False),
    ({"match_type": "any", "retired_at": "2026-01-01"}, Event("h", ""), False),
]


@pytest.mark.parametrize(("columns", "event", "found"), MATCHES)
def test_a_rule_matches(columns: dict[str, Any], event: Event, found: bool | None) -> None:
    judged = book(rule(id=1, **columns)).judge(event)
    assert (None if judged is None else judged.rule is not None) == found


def test_the_lowest_priority_wins_then_the_lowest_id() -> None:
    rules = [rule(id=n, match_type="any", priority=p) for n, p in ((1, 9), (3, 5), (2, 5))]
    judged = book(*rules).judge(Event("h", ""))
    assert judged is not None
    assert judged.rule is not None
    assert judged.rule.id == 2


def test_handling_team_and_severity() -> None:
    one = rule(id=1, match_type="any", prod_handling="Page_only", dev_handling="Suppress", team_assignment=None)
    hosts: dict[str, dict[str, Any]] = {"dev": {"hostname": "dev"}}
    teams: dict[str, dict[str, Any]] = {"h": {"team_assignment": "dba"}}
    known = book(one | {"dev_handling": "Ignore"}, development_hosts=hosts, device_teams=teams)
    answers = [known.judge(event) for event in (Event("h", "", 0), Event("dev", "", 0), Event("x", ""))]
    assert [(a.disposition, a.team, a.severity) for a in answers if a] == [
        ("alerted", "dba", "critical"),
        ("ignored", "NETO", "critical"),
        ("alerted", "NETO", "warning"),
    ]


# -- versions ---------------------------------------------------------------------------------------------------


def test_each_transaction_counted_as_its_statements_leaves_no_doubt() -> None:
    history = History(changes(), version=4)
    assert [history.candidates(version) for version in (1, 2, 3, 4)] == [[0], [1], [2], [3]]
    assert [len(history.book(step).rules) for step in (0, 1, 2, 3, 1)] == [0, 1, 2, 3, 1]


def test_a_key_that_is_set_counts_twice() -> None:
    key = Change(9, 109, 1_500, "CREATE", "dynamic_config", "k", None, {"value": "1"})
    history = History([*changes(), key], version=6)
    assert [history.candidates(version) for version in range(1, 7)] == [[0], [1], [], [2], [3], [4]]


def test_transactions_that_counted_otherwise_leave_several_answers() -> None:
    history = History(changes(), version=5)
    assert [history.candidates(version) for version in (5, 4, 3, 1)] == [[3], [2, 3], [1, 2], [0]]


def test_a_recorder_leaves_no_doubt() -> None:
    history = History(changes(), version=9, recorded={101: 3, 102: 5, 103: 9})
    assert [history.candidates(version) for version in (1, 3, 4, 5, 9)] == [[0], [1], [], [2], [3]]


def test_a_version_that_was_counted_by_who_changed_nothing_means_what_stood_before() -> None:
    """Triggers of a statement count it though it found no row."""
    history = History(changes(), version=9, recorded={101: 3, 555: 4, 102: 5, 556: 8, 103: 9})
    assert [history.candidates(version) for version in (3, 4, 5, 8, 9)] == [[1], [1], [2], [2], [3]]


def test_a_version_that_no_history_leads_to() -> None:
    assert History(changes(), version=4).candidates(9) == []


def test_books_that_decide_alike_are_one() -> None:
    plain = book(rule(id=1, match_type="any"))
    same = book(rule(id=1, match_type="any"), dynamic_config={"moog_rate_limit": {"value": "9"}})
    other = book(rule(id=1, match_type="any"), dynamic_config={"unhandled_default_team": {"value": "x"}})
    assert plain.content == same.content != other.content
