"""Backpressure: levels with hysteresis, the severity cut, and the depth between two counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import DynamicConfig
from schemas.config_values import check
from schemas.rules import AlertSeverity
from streams.core.backpressure import (
    SMALLEST_PART,
    Backlog,
    Level,
    PressurePolicy,
    allowance,
    level_between,
    next_level,
    pauses_intake,
    records_at_once,
    severity_cut,
    shed_severity,
)

CALM, WARN, SHED, HARD = Level


def policy(**overrides: int | bool) -> PressurePolicy:
    values = {"warn": 1000, "shed": 2000, "hard": 20_000, "defers": False, "floor": 2} | overrides
    return PressurePolicy(**values)  # type: ignore[arg-type]


@st.composite
def policies(draw: st.DrawFn) -> PressurePolicy:
    warn = draw(st.integers(1, 10**6))
    shed = draw(st.integers(warn + 1, 2 * 10**6))
    hard = draw(st.integers(shed + 1, 10**7))
    return policy(warn=warn, shed=shed, hard=hard, defers=draw(st.booleans()), floor=draw(st.integers(0, 7)))


DEPTHS = st.integers(0, 2 * 10**7)
LEVELS = st.sampled_from(Level)


@pytest.mark.parametrize(
    ("level", "depth", "expected"),
    [
        (CALM, 999, CALM),
        (CALM, 1000, WARN),
        (CALM, 2000, SHED),
        (CALM, 20_000, HARD),
        (WARN, 900, WARN),
        (WARN, 899, CALM),
        (WARN, 2000, SHED),
        (SHED, 1999, SHED),
        (SHED, 1000, SHED),
        (SHED, 999, WARN),
        (SHED, 0, CALM),
        (HARD, 19_999, HARD),
        (HARD, 11_001, HARD),
        (HARD, 11_000, SHED),
        (HARD, 950, WARN),
        (HARD, 0, CALM),
    ],
)
def test_levels_rise_at_a_threshold_and_fall_below_a_lower_one(level: Level, depth: int, expected: Level) -> None:
    assert next_level(level, depth, policy()) is expected


@pytest.mark.parametrize(
    ("level", "defers", "paused"),
    [(WARN, True, False), (SHED, True, True), (SHED, False, False), (HARD, True, True), (HARD, False, True)],
)
def test_defer_pauses_above_shed_and_both_modes_above_hard(level: Level, defers: bool, paused: bool) -> None:
    assert pauses_intake(level, policy(defers=defers)) is paused


@given(LEVELS, DEPTHS, policies())
def test_a_level_is_stable_at_the_same_depth(level: Level, depth: int, policy: PressurePolicy) -> None:
    settled = next_level(level, depth, policy)
    assert next_level(settled, depth, policy) is settled


@given(LEVELS, DEPTHS, DEPTHS, policies())
def test_more_depth_never_gives_a_lower_level(level: Level, one: int, other: int, policy: PressurePolicy) -> None:
    low, high = sorted((one, other))
    assert next_level(level, low, policy) <= next_level(level, high, policy)


@given(LEVELS, DEPTHS, policies())
def test_the_thresholds_decide_whatever_the_level_was(level: Level, depth: int, policy: PressurePolicy) -> None:
    settled = next_level(level, depth, policy)
    assert depth < policy.hard or settled is HARD
    assert depth < policy.shed or settled >= SHED
    assert depth >= policy.warn or settled <= WARN


@pytest.mark.parametrize(
    ("counted", "defers", "share", "allowed"),
    [
        (0, True, 1.0, 2000),
        (0, True, 0.25, 500),
        (1600, True, 0.5, 200),
        (1999, True, 0.5, 1),
        (2000, True, 1.0, 0),
        (2500, True, 1.0, 0),
        (0, False, 0.5, 10_000),
    ],
)
def test_a_worker_may_decide_its_share_of_the_room(counted: int, defers: bool, share: float, allowed: int) -> None:
    backlog = Backlog()
    backlog.counted(counted)
    assert allowance(backlog, policy(defers=defers), share) == allowed
    backlog.expect(100)
    assert allowance(backlog, policy(defers=defers), share) == (allowed - 100 if allowed else 0)


@given(DEPTHS, policies(), st.lists(st.floats(0.01, 1.0), min_size=1, max_size=8))
def test_a_fleet_that_counted_alike_overshoots_by_a_smallest_part_each(
    counted: int, policy: PressurePolicy, parts: list[float]
) -> None:
    """Every worker goes on while it may, with batches in which all records raise alerts."""
    pauses_at = policy.shed if policy.defers else policy.hard
    raised = 0
    for part in parts:
        backlog = Backlog()
        backlog.counted(counted)
        while (allowed := allowance(backlog, policy, part / sum(parts))) > 0:
            backlog.expect(records_at_once(allowed))
        raised += backlog.unseen
    assert raised == 0 if counted >= pauses_at else counted + raised <= pauses_at + len(parts) * SMALLEST_PART


@pytest.mark.parametrize(
    ("depth", "floor", "cut"),
    [
        (1999, 2, None),
        (2000, 2, 7),
        (2499, 2, 7),
        (2500, 2, 6),
        (3000, 2, 5),
        (3500, 2, 4),
        (3999, 2, 4),
        (4000, 2, 3),
        (10**9, 2, 3),
        (4000, 0, 1),
        (2000, 6, 7),
        (4000, 6, 7),
        (4000, 7, None),
    ],
)
def test_the_cut_goes_from_7_at_shed_to_just_above_the_floor_at_twice_that(
    depth: int, floor: int, cut: int | None
) -> None:
    assert severity_cut(depth, policy(floor=floor)) == cut


@given(DEPTHS, policies())
def test_the_floor_is_never_shed_and_nothing_below_the_threshold(depth: int, policy: PressurePolicy) -> None:
    cut = severity_cut(depth, policy)
    if cut is None:
        assert depth < policy.shed or policy.floor == 7
    else:
        assert policy.floor < cut <= 7
        assert depth >= policy.shed
        assert cut == policy.floor + 1 or depth < 2 * policy.shed


@given(DEPTHS, DEPTHS, policies())
def test_deeper_sheds_no_less(one: int, other: int, policy: PressurePolicy) -> None:
    low, high = (severity_cut(depth, policy) or 8 for depth in sorted((one, other)))
    assert high <= low


@pytest.mark.parametrize(
    ("syslog", "alert", "severity"),
    [
        *((number, severity, number) for number, severity in (
            (0, AlertSeverity.CRITICAL), (2, AlertSeverity.CRITICAL), (3, AlertSeverity.MAJOR),
            (4, AlertSeverity.WARNING), (5, AlertSeverity.MINOR), (6, AlertSeverity.INFO), (7, AlertSeverity.INFO),
        )),
        (None, AlertSeverity.WARNING, 4),
        (None, AlertSeverity.CRITICAL, 2),
        (6, AlertSeverity.CRITICAL, 2),
        (1, AlertSeverity.INFO, 1),
        (5, AlertSeverity.CLEAR, 5),
    ],
)  # fmt: skip
def test_the_worse_of_event_and_rule_decides(syslog: int | None, alert: AlertSeverity, severity: int) -> None:
    assert shed_severity(syslog, alert) == severity


def test_the_policy_is_read_from_the_configuration() -> None:
    config = DynamicConfig(alerter_shed_mode="defer", alerter_shed_severity_floor=3)
    assert not check(config)
    assert PressurePolicy.of(config) == policy(defers=True, floor=3)


def test_the_depth_follows_what_is_decided_between_two_counts() -> None:
    backlog = Backlog()
    backlog.expect(300)
    assert backlog.depth == 300
    backlog.committed(300)
    backlog.expect(50)
    backlog.withdrawn(50)
    assert backlog.depth == 300
    backlog.counting()
    backlog.expect(20)
    backlog.committed(10)
    backlog.counted(280)
    assert backlog.depth == 280 + 10 + 10
    backlog.committed(10)
    backlog.counting()
    backlog.counted(120)
    assert backlog.depth == 120


def test_what_a_count_may_have_seen_is_not_certain_to_wait_twice() -> None:
    backlog = Backlog()
    backlog.expect(100)
    backlog.counting()
    backlog.expect(50)
    backlog.committed(50)
    backlog.counted(150)
    assert (backlog.at_least, backlog.depth) == (150, 300)
    backlog.committed(100)
    backlog.expect(7)
    assert (backlog.at_least, backlog.depth) == (157, 307)
    backlog.counting()
    backlog.counted(150)
    assert (backlog.at_least, backlog.depth) == (150, 157)


@pytest.mark.parametrize(
    ("level", "at_least", "at_most", "expected"),
    [
        (WARN, 1900, 2100, WARN),
        (WARN, 2000, 2100, SHED),
        (CALM, 1500, 2100, WARN),
        (SHED, 900, 1100, SHED),
        (SHED, 800, 990, WARN),
        (HARD, 100, 1500, SHED),
    ],
)
def test_an_uncertain_depth_moves_the_level_only_as_far_as_is_certain(
    level: Level, at_least: int, at_most: int, expected: Level
) -> None:
    assert level_between(level, at_least, at_most, policy()) is expected


@given(LEVELS, DEPTHS, policies())
def test_a_depth_known_exactly_gives_its_level(level: Level, depth: int, policy: PressurePolicy) -> None:
    assert level_between(level, depth, depth, policy) is next_level(level, depth, policy)


@given(st.lists(st.tuples(st.integers(0, 4000), st.booleans()), max_size=30), st.integers(0, 10**6))
def test_the_depth_is_never_below_what_waits(steps: list[tuple[int, bool]], delivered: int) -> None:
    """Counted at any moment: what is pending by then is never more than what the worker believes."""
    backlog, pending = Backlog(), 0
    for alerts, count in steps:
        backlog.expect(alerts)
        pending += alerts
        backlog.committed(alerts)
        if count:
            backlog.counting()
            pending = max(0, pending - delivered)
            backlog.counted(pending)
        assert backlog.depth >= pending
