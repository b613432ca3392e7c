"""What `mutt retention status` tells somebody to look at."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from streams.core.retention_health import Facts, problems

NOW = dt.datetime(2026, 5, 17, 12, tzinfo=dt.UTC)
WELL = Facts(
    last_run=NOW, last_outcome="done", last_success=NOW - dt.timedelta(hours=47), months_ahead=3, expired_parts=0
)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"last_success": None}, ["no run has succeeded yet"]),
        ({"last_success": NOW - dt.timedelta(hours=49)}, ["the last run that succeeded is 49 hours old"]),
        ({"last_outcome": "failed", "last_problems": ("a", "b")}, ["the last run failed: a; b"]),
        ({"last_outcome": "killed"}, ["the last run was cut short: it did not come to its end"]),
        ({"last_outcome": "running"}, []),
        ({"months_ahead": 2}, ["partitions of the audit lie 2 months ahead, not 3"]),
        ({"strays": 4}, ["audit_default holds 4 rows: there was no partition for their time"]),
    ],
)
def test_what_is_told(changes: dict[str, Any], told: list[str]) -> None:
    facts = dataclasses.replace(WELL, **changes)
    assert list(problems(facts, NOW, stale=dt.timedelta(hours=48), ahead=3)) == told
