"""The token bucket: never more than its rate in any window, and no request waits for ever."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.rate_limit import RatePolicy, TokenBucket, share_of


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


@pytest.mark.parametrize(
    ("assigned", "partitions", "share"),
    [(8, 8, 1.0), (3, 8, 0.375), (1, 8, 0.125), (0, 8, 0.0), (0, 0, 0.0), (5, 3, 1.0), (2, 0, 1.0)],
)
def test_a_share_is_that_of_the_partitions(assigned: int, partitions: int, share: float) -> None:
    assert share_of(assigned, partitions) == share


@pytest.mark.parametrize(
    ("policy", "per_second", "burst"),
    [
        (RatePolicy(60, 1, 1 / 3), 20, 60 / 9),
        (RatePolicy(60, 1, 0.5), 30, 15),
        (RatePolicy(600, 60, 0.5), 5, 2.5),
        (RatePolicy(60, 1, 1 / 8), 7.5, 1),
        (RatePolicy(1, 60, 0.5), 1 / 120, 1),
        (RatePolicy(50, 1, 0.0), 0, 1),
    ],
)
def test_a_share_takes_its_part_of_rate_and_burst(policy: RatePolicy, per_second: float, burst: float) -> None:
    assert (policy.per_second, policy.burst) == (pytest.approx(per_second), pytest.approx(burst))


def test_without_a_share_nothing_goes_out_and_nothing_saved_up_is_lost() -> None:
    bucket = TokenBucket(RatePolicy(50, 1, 0.0))
    assert [bucket.take(0.0), bucket.take(1e6)] == [float("inf")] * 2
    bucket.policy = RatePolicy(50, 1, 0.5)
    assert bucket.take(1e6) == 0.0


def partitions_of(counts: list[int]) -> list[float]:
    return [share_of(count, sum(counts)) for count in counts]


@given(counts=st.lists(st.integers(1, 8), min_size=1, max_size=8), rate=st.floats(0.1, 1e5), period=st.floats(1, 3600))
def test_a_fleet_saves_up_no_more_than_a_second_of_its_largest_worker(
    counts: list[int], rate: float, period: float
) -> None:
    policies = [RatePolicy(rate, period, share) for share in partitions_of(counts)]
    assert sum(policy.per_second for policy in policies) == pytest.approx(rate / period)
    saved_up = sum(policy.burst for policy in policies if policy.burst > 1.0)
    assert saved_up <= max(policy.per_second for policy in policies) + 1e-6


@given(
    counts=st.lists(st.integers(1, 8), min_size=1, max_size=5),
    rate=st.floats(1, 100),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=30),
)
def test_a_fleet_stays_within_its_rate_in_any_window(counts: list[int], rate: float, pauses: list[float]) -> None:
    policies = [RatePolicy(rate, 1.0, share) for share in partitions_of(counts)]
    buckets, went, now = [TokenBucket(policy) for policy in policies], [(-1.0, 0)], 0.0
    for pause in pauses:
        now += pause
        went.append((now, went[-1][1] + sum(all_taken(bucket, now) for bucket in buckets)))
    burst = sum(policy.burst for policy in policies)
    for before, (start, _) in itertools.pairwise(went):
        for end, total in went:
            assert end < start or total - before[1] <= rate * (end - start) + burst + 1e-6


def all_taken(bucket: TokenBucket, now: float) -> int:
    return sum(1 for _ in iter(lambda: bucket.take(now) == 0.0, False))


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
