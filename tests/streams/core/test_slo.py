"""Burn rate, budget and state of an objective."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.slo import FORWARDER, INGESTOR, OBJECTIVES, BurnState, Indicator, Objective, assess

TABLE = [
    # objective, good, total, availability, burn, remaining, state
    (INGESTOR, 0, 0, None, 0.0, 1.0, BurnState.OK),
    (INGESTOR, 1000, 1000, 1.0, 0.0, 1.0, BurnState.OK),
    (INGESTOR, 995, 1000, 0.995, 1.0, 0.0, BurnState.OK),
    (INGESTOR, 9949, 10_000, 0.9949, 1.02, -0.02, BurnState.WARN),
    (INGESTOR, 990, 1000, 0.99, 2.0, -1.0, BurnState.WARN),
    (INGESTOR, 989, 1000, 0.989, 2.2, -1.2, BurnState.CRITICAL),
    (INGESTOR, 0, 7, 0.0, 200.0, -199.0, BurnState.CRITICAL),
    (FORWARDER, 995, 1000, 0.995, 0.5, 0.5, BurnState.OK),
    (FORWARDER, 99, 100, 0.99, 1.0, 0.0, BurnState.OK),
    (FORWARDER, 98, 100, 0.98, 2.0, -1.0, BurnState.WARN),
    (FORWARDER, 97, 100, 0.97, 3.0, -2.0, BurnState.CRITICAL),
]


@pytest.mark.parametrize(("objective", "good", "total", "availability", "burn", "remaining", "state"), TABLE)
def test_table(
    objective: Objective,
    good: int,
    total: int,
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
objectives = st.sampled_from(OBJECTIVES)


@given(objectives, indicators)
def test_burnt_and_left_are_the_whole_budget(objective: Objective, indicator: Indicator) -> None:
    budget = assess(objective, indicator)
    assert budget.burn_rate >= 0
    assert budget.burn_rate + budget.remaining == pytest.approx(1, abs=1e-6)


@given(objectives, indicators)
def test_one_more_failure_never_looks_better(objective: Objective, indicator: Indicator) -> None:
    order = list(BurnState)
    before = assess(objective, indicator)
    after = assess(objective, Indicator(indicator.good, indicator.total + 1))
    assert after.burn_rate >= before.burn_rate
    assert order.index(after.state) >= order.index(before.state)
