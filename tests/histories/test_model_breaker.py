"""Breaker and token bucket against simple models: what was sent when, under policies that change on the way."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.core.breaker import Breaker, BreakerPolicy, BreakerState
from streams.core.rate_limit import RatePolicy, TokenBucket


class BreakerMachine(RuleBasedStateMachine):
    """The model: failures in a row, when it opened, and the one request that is the probe."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(BreakerPolicy(3, 10.0))
        self.failures = 0
        self.opened: float | None = None
        self.out: list[bool] = []
        """Requests on their way: whether each is the probe."""

    @property
    def state(self) -> BreakerState:
        if self.opened is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.now < self.opened + self.breaker.policy.timeout_s else BreakerState.HALF_OPEN

    @rule(seconds=st.sampled_from([0.0, 1.0, 9.0, 10.0, 25.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(threshold=st.integers(1, 5), timeout=st.sampled_from([1.0, 10.0, 20.0]))
    def swap(self, threshold: int, timeout: float) -> None:
        self.breaker.policy = BreakerPolicy(threshold, timeout)

    @precondition(lambda self: self.state is not BreakerState.HALF_OPEN or not self.out or any(self.out))
    @rule()
    def ask(self) -> None:
        """As the gate does it, a probe goes alone: what went out before has been answered."""
        half_open = self.state is BreakerState.HALF_OPEN
        may = self.state is BreakerState.CLOSED or (half_open and not any(self.out))
        assert self.breaker.ready(self.now) == may
        assert self.breaker.allows(self.now) == may
        if may:
            self.out.append(half_open)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), good=st.booleans())
    def answer(self, data: Any, good: bool) -> None:
        probe = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        state = self.state
        (self.breaker.succeeded if good else self.breaker.failed)(self.now)
        self.failures += 1
        if good and (probe or state is not BreakerState.OPEN):
            self.failures, self.opened = 0, None
        elif good:
            self.failures -= 1
        elif probe or (state is BreakerState.CLOSED and self.failures >= self.breaker.policy.threshold):
            self.opened = self.now

    @invariant()
    def agrees(self) -> None:
        assert self.breaker.state(self.now) is self.state
        assert self.breaker.failures == self.failures
        assert self.breaker.retry_at == (None if self.opened is None else self.opened + self.breaker.policy.timeout_s)
        assert sum(self.out) <= 1


class BucketMachine(RuleBasedStateMachine):
    """The model: every send with its time, and the largest rate and burst in force since."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.bucket = TokenBucket(RatePolicy(10, 1.0))
        self.sends: list[float] = []
        self.rate = self.burst = 0.0
        self._note()

    def _note(self) -> None:
        policy = self.bucket.policy
        self.rate, self.burst = max(self.rate, policy.per_second), max(self.burst, policy.burst)

    @rule(seconds=st.floats(0, 5))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(rate=st.integers(1, 50), period=st.sampled_from([1.0, 10.0]), share=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    def swap(self, rate: int, period: float, share: float) -> None:
        self.bucket.policy = RatePolicy(rate, period, share)
        self._note()

    @rule(asked=st.integers(1, 30))
    def take(self, asked: int) -> None:
        for _ in range(asked):
            told = self.bucket.wait(self.now)
            assert self.bucket.take(self.now) == told
            if told > 0.0:
                assert (told == float("inf")) == (self.bucket.policy.share == 0.0)
                return
            self.sends.append(self.now)

    @precondition(lambda self: self.bucket.policy.share > 0.0)
    @rule()
    def wait_as_told(self) -> None:
        """Where rounding made the wait too short, the shortest one more is enough."""
        self.now += self.bucket.wait(self.now)
        self.now += self.bucket.wait(self.now)
        assert self.bucket.take(self.now) == 0.0
        self.sends.append(self.now)

    @invariant()
    def no_window_holds_more_than_rate_times_window_plus_burst(self) -> None:
        newest = len(self.sends) - 1
        for number in range(max(0, newest - 60), newest + 1):
            window = self.sends[newest] - self.sends[number]
            assert newest - number + 1 <= self.rate * window + self.burst + 1e-6


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestBucket = BucketMachine.TestCase
TestBucket.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
