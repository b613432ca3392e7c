"""Shadows: only what is sure is told, and everything that is told is so in the matcher too."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.rules import MatchType, Mode, SeverityMatch
from streams.core.shadows import shadow_of
from tests.builders import rule

ANY = {"match_type": MatchType.ANY, "match_string": None}
REGEX = {"match_type": MatchType.REGEX}
OID = {"match_type": MatchType.OID_PREFIX, "match_string": None}
WORSE = {"severity_match": SeverityMatch.OR_WORSE}


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        ({"match_string": "link"}, {"match_string": "LINK down"}, True),
        ({"match_string": "link down"}, {"match_string": "link"}, False),
        ({"match_string": "\u0130"}, {"match_string": "i\u0307"}, False),
        (ANY, {"match_string": "x"}, True),
        (ANY, OID | {"trap_oid": "1.3.6"}, True),
        ({"match_string": "x"}, ANY, False),
        (OID | {"trap_oid": "1.3.6.1.4.1.9"}, OID | {"trap_oid": "1.3.6.1.4.1.9.9"}, True),
        (OID | {"trap_oid": "1.3.6.1.4.1.9"}, OID | {"trap_oid": "1.3.6.1.4.1.90"}, False),
        (REGEX | {"match_string": "a.c"}, REGEX | {"match_string": "a.c"}, True),
        (REGEX | {"match_string": "a.c"}, REGEX | {"match_string": "abc"}, False),
        (REGEX | {"match_string": "a"}, {"match_string": "a"}, False),
        (ANY | {"syslog_severity": 3}, {"match_string": "x"}, False),
        (ANY | {"syslog_severity": 3}, {"match_string": "x", "syslog_severity": 3}, True),
        (ANY | WORSE | {"syslog_severity": 3}, {"match_string": "x", "syslog_severity": 2}, True),
        (ANY | {"syslog_severity": 3}, WORSE | {"match_string": "x", "syslog_severity": 3}, False),
        (ANY | {"is_active": False}, {"match_string": "x"}, False),
        (ANY | {"mode": Mode.MONITOR}, {"match_string": "x"}, False),
        (ANY, {"match_string": "x", "mode": Mode.MONITOR}, False),
    ],
)
def test_what_is_shadowed(first: dict[str, Any], second: dict[str, Any], shadowed: bool) -> None:
    before, after = rule(id=1, priority=1, **first), rule(id=2, priority=2, **second)
    assert shadow_of(after, [before, after]) == (before if shadowed else None)
    assert shadow_of(before, [before, after]) is None
    assert shadow_of(after, [before]) == (before if shadowed else None), "one that is not saved yet"
