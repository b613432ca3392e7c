"""The token bucket: never more than its rate in any window, and no request waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.rate_limit import RatePolicy, TokenBucket


def taken_at(bucket: TokenBucket, moments: list[float]) -> list[float]:
    return [now for now in moments if bucket.take(now) == 0.0]


@pytest.mark.parametrize(
    ("policy", "burst"),
    [(RatePolicy(50, 1), 50), (RatePolicy(60, 60), 1), (RatePolicy(0.5, 1), 1), (RatePolicy(600, 60), 10)],
)
def test_a_full_bucket_holds_a_seconds_worth(policy: RatePolicy, burst: float) -> None:
    bucket = TokenBucket(policy)
    bucket.take(0.0)
    assert len(taken_at(bucket, [10_000.0] * 1000)) == burst


def test_it_does_not_start_full() -> None:
    assert len(taken_at(TokenBucket(RatePolicy(50, 1)), [0.0] * 100)) == 1


def test_the_wait_it_tells_is_long_enough() -> None:
    bucket = TokenBucket(RatePolicy(2, 1))
    assert bucket.take(0.0) == 0.0
    wait = bucket.take(0.0)
    assert wait == 0.5
    assert bucket.take(wait) == 0.0


def test_a_smaller_rate_cuts_what_was_saved_up() -> None:
    bucket = TokenBucket(RatePolicy(50, 1))
    bucket.take(0.0)
    bucket.policy = RatePolicy(2, 1)
    assert len(taken_at(bucket, [100.0] * 10)) == 2


@given(
    rate=st.floats(0.1, 1000),
    period=st.floats(1, 3600),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_no_window_holds_more_than_rate_times_window_plus_burst(
    rate: float, period: float, pauses: list[float]
) -> None:
    policy = RatePolicy(rate, period)
    moments, now = [], 0.0
    for pause in pauses:
        now += pause
        moments.append(now)
    taken = taken_at(TokenBucket(policy), moments)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = policy.per_second * (taken[last] - start) + policy.burst
            assert last - first + 1 <= allowed + 1e-6


@given(rate=st.floats(0.1, 1000), start=st.floats(0, 1e6), back=st.floats(0, 100))
def test_waiting_as_told_always_ends_in_a_token(rate: float, start: float, back: float) -> None:
    bucket, now = TokenBucket(RatePolicy(rate, 1)), start
    bucket.take(now)
    bucket.take(now - back)
    for _ in range(3):
        wait = bucket.take(now)
        if wait == 0.0:
            return
        now += wait
    raise AssertionError("three waits were not enough")
