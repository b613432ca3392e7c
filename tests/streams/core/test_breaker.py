"""The circuit breaker: when it opens, that one probe goes out, and what ends it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.breaker import Breaker, BreakerPolicy, BreakerState, Told, Transition

POLICY = BreakerPolicy(threshold=3, timeout_s=10.0)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_it_opens_at_the_threshold_and_says_when_a_probe_may_go() -> None:
    breaker = Breaker(POLICY)
    breaker.failed(0.0)
    breaker.failed(1.0)
    assert breaker.allows(1.0)
    assert breaker.retry_at is None
    breaker.failed(2.0)
    assert breaker.state(2.0) is BreakerState.OPEN
    assert not breaker.allows(11.9)
    assert breaker.retry_at == 12.0


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = Breaker(POLICY)
    for outcome in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed, breaker.failed):
        outcome(0.0)
    assert breaker.state(0.0) is BreakerState.CLOSED


def test_one_single_probe_at_half_open() -> None:
    breaker = opened()
    assert breaker.state(10.0) is BreakerState.HALF_OPEN
    assert [breaker.allows(10.0), breaker.allows(10.0), breaker.allows(11.0)] == [True, False, False]


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = opened()
    assert breaker.allows(10.0)
    breaker.succeeded(11.0)
    assert breaker.state(11.0) is BreakerState.CLOSED
    assert breaker.failures == 0


def test_a_probe_that_fails_opens_it_for_a_whole_timeout() -> None:
    breaker = opened()
    assert breaker.allows(15.0)
    breaker.failed(16.0)
    assert breaker.retry_at == 26.0
    assert not breaker.allows(25.0)
    assert breaker.allows(26.0)


def test_answers_to_requests_from_before_it_opened_change_nothing() -> None:
    breaker = opened()
    breaker.failed(5.0)
    breaker.succeeded(6.0)
    assert breaker.state(6.0) is BreakerState.OPEN
    assert breaker.retry_at == 10.0


def test_a_policy_can_be_swapped_while_it_is_open() -> None:
    breaker = opened()
    breaker.policy = BreakerPolicy(threshold=3, timeout_s=2.0)
    assert breaker.state(2.0) is BreakerState.HALF_OPEN


@pytest.mark.parametrize("good", [False, True])
def test_a_timeout_that_grows_while_the_probe_is_out_does_not_shut_it_for_ever(good: bool) -> None:
    breaker = Breaker(BreakerPolicy(1, 10.0))
    breaker.failed(0.0)
    assert breaker.allows(10.0)
    breaker.policy = BreakerPolicy(1, 60.0)
    (breaker.succeeded if good else breaker.failed)(11.0)
    assert breaker.state(11.0) is (BreakerState.CLOSED if good else BreakerState.OPEN)
    assert breaker.allows(71.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 15.0)), max_size=60))
def test_requests_go_out_only_while_closed_or_as_the_one_probe(steps: list[tuple[bool, float]]) -> None:
    breaker, now, failures_in_a_row = Breaker(POLICY), 0.0, 0
    for good, pause in steps:
        now += pause
        before = breaker.state(now)
        if not breaker.allows(now):
            assert before is BreakerState.OPEN
            continue
        assert before is not BreakerState.OPEN
        if before is BreakerState.HALF_OPEN:
            assert not breaker.ready(now)
        (breaker.succeeded if good else breaker.failed)(now)
        failures_in_a_row = 0 if good else failures_in_a_row + 1
        assert (breaker.state(now) is BreakerState.CLOSED) == (failures_in_a_row < POLICY.threshold)


def test_each_change_is_told_once() -> None:
    told = Told()
    assert told.change(BreakerState.CLOSED) is None
    change = told.change(BreakerState.OPEN)
    assert change is not None
    assert change.names == ("closed", "open")
    assert told.change(BreakerState.OPEN) is None
    assert told.change(BreakerState.CLOSED) == Transition(BreakerState.OPEN, BreakerState.CLOSED)
