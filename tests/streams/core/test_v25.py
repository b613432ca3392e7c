"""What a row of MUTT 2.5 becomes."""

from __future__ import annotations

import pytest

from schemas.rules import Handling, MatchType
from schemas.v25_files import OldRow
from streams.core.v25 import Fate, Judged, judge

RULE: dict[str, str | None] = {
    "id": "7", "match_string": "link down", "trap_oid": None, "syslog_severity": None, "match_type": "contains",
    "priority": "10", "prod_handling": "Page_and_ticket", "dev_handling": "Log_only", "team_assignment": "net",
    "is_active": "t", "created_at": "2024-01-01 00:00:00",
}  # fmt: skip
OID = {"match_type": "oid_prefix", "match_string": None, "trap_oid": ".1.3.6.1.4."}


def judged(**different: str | None) -> Judged:
    return judge([("f", OldRow("alert_rules", 3, RULE | different))], {"call somebody": Handling.PAGE_ONLY})[0]


def hosts(table: str, *rows: dict[str, str | None]) -> list[tuple[Fate, tuple[str, ...]]]:
    return [(one.fate, one.notes) for one in judge([("f", OldRow(table, 1, row)) for row in rows], {})]


def test_a_rule_that_means_the_same_is_taken() -> None:
    one = judged()
    assert (one.fate, one.notes, one.name, one.line) == (Fate.TAKEN, (), "7", 3)
    assert one.rule is not None
    assert (one.rule.priority, one.rule.is_active, one.rule.prod_handling) == (10, True, Handling.PAGE_AND_TICKET)


@pytest.mark.parametrize(
    ("different", "note"),
    [
        ({"prod_handling": "Suppress"}, "Suppress is Ignore"),
        ({"dev_handling": "ignore"}, "no longer have an audit row"),
        ({"dev_handling": "Call somebody"}, "'Call somebody' is Page_only, as you said"),
        ({"team_assignment": ""}, "else the default team"),
        ({"trap_oid": "1.3"}, "match_type contains tests match_string alone"),
        ({"colour": "red"}, "'colour' is not kept"),
        (OID, "trap_oid: .1.3.6.1.4. is 1.3.6.1.4"),
        (OID, "matches whole arcs"),
        (OID | {"match_string": "x"}, "match_type oid_prefix tests trap_oid alone"),
    ],
)
def test_what_means_something_else_now_is_said(different: dict[str, str | None], note: str) -> None:
    one = judged(**different)
    assert one.fate is Fate.CHANGED
    assert any(note in each for each in one.notes), one.notes


@pytest.mark.parametrize(
    ("different", "why"),
    [
        ({"prod_handling": "call me"}, "prod_handling: 'call me' is none of"),
        ({"dev_handling": None}, "dev_handling: is missing"),
        ({"syslog_severity": "9"}, "outside 0 to 7"),
        ({"syslog_severity": "Warning"}, "syslog_severity: must be a whole number"),
        ({"priority": "-1"}, "priority: must be a whole number"),
        ({"priority": "9" * 10}, "outside 0 to"),
        ({"is_active": "maybe"}, "is_active: must be true or false"),
        ({"match_string": None}, "match_string: is missing"),
        ({"match_string": "a\0b"}, "NUL"),
        ({"match_type": "like"}, "match_type: 'like' is none of"),
        (OID | {"trap_oid": "1.3.*"}, "is no OID"),
        (OID | {"trap_oid": None, "match_string": "x"}, "trap_oid: is missing"),
        ({"team_assignment": "t" * 101}, "has 101 characters"),
    ],
)
def test_what_is_no_rule_is_refused(different: dict[str, str | None], why: str) -> None:
    one = judged(**different)
    assert (one.fate, one.rule) == (Fate.REFUSED, None)
    assert any(why in each for each in one.notes), one.notes


def test_rules_keep_the_order_of_their_ids() -> None:
    rows = [
        ("f", OldRow("alert_rules", line, RULE | {"id": number}))
        for line, number in enumerate(["30", "4", None, "x"], 1)
    ]
    assert [one.name for one in judge(rows, {})] == ["4", "30", "line 3", "x"]
    assert MatchType.CONTAINS is judged().rule.match_type  # type: ignore[union-attr]


def test_hosts_and_teams() -> None:
    assert hosts(
        "development_hosts", {"hostname": "a"}, {"hostname": "a"}, {"hostname": None}, {"hostname": "h" * 256}
    ) == [
        (Fate.TAKEN, ()),
        (Fate.CHANGED, ("stands there twice",)),
        (Fate.REFUSED, ("hostname: is missing",)),
        (Fate.REFUSED, ("hostname: has 256 characters; at most 255",)),
    ]
    team = {"hostname": "a", "team_assignment": "net"}
    assert hosts(
        "device_teams",
        team,
        team | {"team_assignment": "db"},
        team | {"team_assignment": " "},
        {"hostname": "\0", "team_assignment": "t"},
        {"hostname": "b", "team_assignment": "t" * 101},
    ) == [
        (Fate.TAKEN, ()),
        (Fate.REFUSED, ("stands there twice, with another team",)),
        (Fate.REFUSED, ("team_assignment: is missing",)),
        (Fate.REFUSED, ("holds a NUL character",)),
        (Fate.REFUSED, ("team_assignment: has 101 characters; at most 100",)),
    ]


def test_files_are_judged_together() -> None:
    team = {"hostname": "a", "team_assignment": "net"}
    other = team | {"team_assignment": "db"}
    found = judge([("x", OldRow("device_teams", 1, team)), ("y", OldRow("device_teams", 1, other))], {})
    assert [(one.file, one.fate) for one in found] == [("x", Fate.TAKEN), ("y", Fate.REFUSED)]
