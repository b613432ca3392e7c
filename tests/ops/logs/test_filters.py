"""Which lines `muttdev logs` shows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ops.logs.filters import Wanted, compiled
from ops.logs.lines import Level, LogLine
from schemas.errors import Refused

NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
EVENT = "mutt.ingest.raw:5:1"


def line(text: str = "", level: Level = Level.INFO, **fields: Any) -> LogLine:
    return LogLine("match-1", NOON, level, text, fields)


@pytest.mark.parametrize(
    ("wanted", "found", "taken"),
    [
        (Wanted(), line(), True),
        (Wanted(level=Level.WARNING), line(level=Level.WARNING), True),
        (Wanted(level=Level.WARNING), line(), False),
        (Wanted(since=NOON), line(), True),
        (Wanted(since=NOON + dt.timedelta(seconds=1)), line(), False),
        (Wanted(pattern=compiled("rules=[45]")), line("in force", rules=4), True),
        (Wanted(pattern=compiled("rules=5")), line("in force", rules=4), False),
        (Wanted(event=EVENT), line(f"halted at {EVENT}: so"), True),
        (Wanted(event=EVENT), line(f"halted at {EVENT}7"), False),
        (Wanted(event=EVENT), line(f"halted at x.{EVENT}"), False),
        (Wanted(event=EVENT), line("refused", event_id=EVENT), True),
        (Wanted(event=EVENT), line("refused", topic="mutt.ingest.raw", partition=5, offset=1), True),
        (Wanted(event=EVENT), line("refused", topic="mutt.ingest.raw", partition=5, offset=11), False),
        (Wanted(event=EVENT, level=Level.ERROR), line("refused", event_id=EVENT), False),
    ],
)
def test_all_conditions_hold(wanted: Wanted, found: LogLine, taken: bool) -> None:
    assert wanted.takes(found) is taken


def test_a_bad_pattern_is_refused() -> None:
    with pytest.raises(Refused, match=r"--grep '\(': missing \)"):
        compiled("(")
