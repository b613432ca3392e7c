"""Backoff: exponential, bounded, full jitter."""

from __future__ import annotations

import pytest

from streams.core.backoff import BackoffPolicy, backoff

POLICY = BackoffPolicy(base_s=1.0, max_s=60.0)


@pytest.mark.parametrize(
    ("attempt", "draw", "seconds"),
    [(0, 1.0, 1.0), (1, 1.0, 2.0), (5, 1.0, 32.0), (6, 1.0, 60.0), (6, 0.5, 30.0), (3, 0.0, 0.0), (10**6, 1.0, 60.0)],
)
def test_the_delay_doubles_up_to_the_maximum_and_is_jittered_whole(attempt: int, draw: float, seconds: float) -> None:
    assert backoff(POLICY, attempt, draw) == seconds
