"""Burn rate, budget, state and time left of an objective."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.slo import Component, Objective, objectives
from streams.core.slo import (
    BURN_RULES,
    BurnState,
    Indicator,
    assess,
    duration,
    exhausted_in,
    shown_duration,
    stand,
    windows_of,
)

INGEST = objectives()[Component.INGESTOR]
DELIVERY = objectives()[Component.FORWARDER]

TABLE = [
    # objective, good, total, availability, burn, remaining, state
    (INGEST, 0, 0, None, 0.0, 1.0, BurnState.NO_DATA),
    (INGEST, 1000, 1000, 1.0, 0.0, 1.0, BurnState.OK),
    (INGEST, 995, 1000, 0.995, 1.0, 0.0, BurnState.OK),
    (INGEST, 9949, 10_000, 0.9949, 1.02, -0.02, BurnState.WARN),
    (INGEST, 990, 1000, 0.99, 2.0, -1.0, BurnState.WARN),
    (INGEST, 989, 1000, 0.989, 2.2, -1.2, BurnState.CRITICAL),
    (INGEST, 0, 7, 0.0, 200.0, -199.0, BurnState.CRITICAL),
    (DELIVERY, 995, 1000, 0.995, 0.5, 0.5, BurnState.OK),
    (DELIVERY, 99, 100, 0.99, 1.0, 0.0, BurnState.OK),
    (DELIVERY, 98, 100, 0.98, 2.0, -1.0, BurnState.WARN),
    (DELIVERY, 97, 100, 0.97, 3.0, -2.0, BurnState.CRITICAL),
    (DELIVERY, 100.2, 100.1, 1.0, 0.0, 1.0, BurnState.OK),  # as Prometheus extrapolates
]


@pytest.mark.parametrize(("objective", "good", "total", "availability", "burn", "remaining", "state"), TABLE)
def test_table(
    objective: Objective,
    good: float,
    total: float,
    availability: float | None,
    burn: float,
    remaining: float,
    state: BurnState,
) -> None:
    budget = assess(objective, Indicator(good, total))
    assert (budget.availability, budget.burn_rate, budget.remaining, budget.state) == (
        availability, burn, remaining, state,
    )  # fmt: skip


indicators = st.integers(0, 10**12).flatmap(lambda total: st.builds(Indicator, st.integers(0, total), st.just(total)))
some_objectives = st.sampled_from(list(objectives().values()))


@given(some_objectives, indicators)
def test_burnt_and_left_are_the_whole_budget(objective: Objective, indicator: Indicator) -> None:
    budget = assess(objective, indicator)
    assert budget.burn_rate >= 0
    assert budget.burn_rate + budget.remaining == pytest.approx(1, abs=1e-6)


@given(some_objectives, indicators)
def test_one_more_failure_never_looks_better(objective: Objective, indicator: Indicator) -> None:
    order = [BurnState.NO_DATA, BurnState.OK, BurnState.WARN, BurnState.CRITICAL]
    before = assess(objective, indicator)
    after = assess(objective, Indicator(indicator.good, indicator.total + 1))
    assert after.burn_rate >= before.burn_rate
    assert order.index(after.state) >= order.index(before.state)


@given(some_objectives, st.lists(indicators, max_size=6))
def test_sums_decide_however_they_are_split(objective: Objective, parts: list[Indicator]) -> None:
    whole = Indicator(sum(part.good for part in parts), sum(part.total for part in parts))
    assert assess(objective, sum(parts, Indicator())) == assess(objective, whole)


@pytest.mark.parametrize(
    ("long", "short", "firing"),
    [
        ("1h", "5m", {"1h"}),
        ("1h", "30m", set()),  # the short window of another rule
        ("6h", "30m", {"6h"}),
        ("1d", "2h", {"1d"}),
        ("3d", "6h", {"3d"}),
        ("1h", None, set()),
    ],
)
def test_a_rule_fires_when_both_of_its_windows_burn(long: str, short: str | None, firing: set[str]) -> None:
    burning = {duration(text): Indicator(0, 10) for text in (long, short) if text}
    burns = stand(INGEST, burning).burns
    assert {shown_duration(burn.rule.long) for burn in burns if burn.firing} == firing


@pytest.mark.parametrize("failed", [72, 73])
def test_a_rule_fires_above_its_rate_and_not_at_it(failed: int) -> None:
    sums = {duration(text): Indicator(1000 - failed, 1000) for text in ("1h", "5m")}
    (burn, *_) = stand(INGEST, sums).burns
    assert burn.long == pytest.approx(failed / 5)
    assert burn.firing is (failed > 72)


def test_a_window_without_data_has_no_rate() -> None:
    standing = stand(INGEST, {INGEST.window: Indicator(5, 5)})
    assert [(burn.long, burn.short, burn.firing) for burn in standing.burns] == [(None, None, False)] * 4
    assert (standing.budget.state, standing.exhausted_in) == (BurnState.OK, None)


@pytest.mark.parametrize(
    ("spent", "hour", "days"),
    [(0, 500, 6), (500, 500, 3), (0, 100, None), (0, 0, None), (1000, 0, 0), (2000, 9999, 0)],
)
def test_how_long_the_budget_lasts(spent: int, hour: int, days: float | None) -> None:
    """`spent` and `hour` in hundredths of a percent of failures; the objective allows 1 %."""
    budget = assess(DELIVERY, Indicator(10**6 - spent * 10, 10**6))
    pace = assess(DELIVERY, Indicator(10_000 - hour, 10_000)).burn_rate
    expected = None if days is None else dt.timedelta(days=days)
    assert exhausted_in(DELIVERY, budget, pace) == expected


def test_every_window_of_every_rule_is_asked_for() -> None:
    assert {shown_duration(length) for length in windows_of(INGEST)} == {
        "5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d",
    }  # fmt: skip
    assert [rule.above for rule in BURN_RULES] == [14.4, 6, 3, 1]
