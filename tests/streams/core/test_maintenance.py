"""Maintenance: what may be declared, and what an end means."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from schemas.errors import MaintenanceOver, MaintenanceRefused
from schemas.slo import Component
from streams.core.maintenance import LONGEST, REASON_LIMIT, Ending, checked, component_of, ending
from streams.core.slo_reads import Draft
from streams.core.slo_windows import Maintenance

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def draft(**overrides: Any) -> Draft:
    return Draft(**{"component": None, "starts_at": NOON, "ends_at": NOON + HOUR, "reason": "upgrade"} | overrides)


def declared(starts: dt.datetime, ends: dt.datetime) -> Maintenance:
    return Maintenance(7, None, starts, ends, "upgrade", "ann", NOON, 1)


def test_a_component_is_named_or_all_are_meant() -> None:
    assert component_of("all") is None
    assert component_of("forwarder") is Component.FORWARDER
    with pytest.raises(MaintenanceRefused, match="all or one of ingestor, forwarder"):
        component_of("Forwarder")


@pytest.mark.parametrize(
    "changes",
    [{}, {"reason": "x" * REASON_LIMIT}, {"reason": f"  {'x' * REASON_LIMIT}  "}, {"ends_at": NOON + LONGEST}],
)
def test_what_may_be_declared(changes: dict[str, Any]) -> None:
    assert checked(draft(**changes)) == draft(**changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": " "}, "reason must be"),
        ({"reason": "x" * (REASON_LIMIT + 1)}, "reason must be"),
        ({"reason": "a\0b"}, "without NUL"),
        ({"ends_at": NOON}, "must lie after the start"),
        ({"ends_at": NOON + LONGEST + HOUR}, "at most 30 days"),
    ],
)
def test_what_may_not(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(MaintenanceRefused, match=told):
        checked(draft(**changes))


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(MaintenanceRefused, match=r"reason must be(.|\n)*after the start"):
        checked(draft(reason="", ends_at=NOON - HOUR))


@pytest.mark.parametrize(
    ("now", "means"),
    [(NOON - HOUR, Ending.TAKEN_BACK), (NOON, Ending.TAKEN_BACK), (NOON + HOUR / 2, Ending.CUT)],
)
def test_an_end_cuts_what_runs_and_takes_back_what_has_not_begun(now: dt.datetime, means: Ending) -> None:
    assert ending(declared(NOON, NOON + HOUR), now) is means


def test_what_is_over_does_not_end_again() -> None:
    with pytest.raises(MaintenanceOver, match="maintenance 7 is over since 2026-03-01T13:00:00"):
        ending(declared(NOON, NOON + HOUR), NOON + HOUR)
