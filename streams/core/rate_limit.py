"""The token bucket: so many requests per period, evenly, and how long the next one waits."""

from __future__ import annotations

from msgspec import Struct

SHORTEST_WAIT_S = 0.001
"""So that rounding never makes a wait too short to pass."""


class RatePolicy(Struct, frozen=True):
    rate: float
    """Requests per period, above 0."""
    period_s: float

    @property
    def per_second(self) -> float:
        return self.rate / self.period_s

    @property
    def burst(self) -> float:
        """Tokens a full bucket holds: one second's worth, at least one, at most `rate`."""
        return max(1.0, min(self.per_second, self.rate))


class TokenBucket:
    """Within any window of w seconds at most `per_second * w + burst` requests go out. `now` is monotonic seconds.

    The policy may be swapped at any time: a smaller one cuts what was saved up.
    """

    def __init__(self, policy: RatePolicy) -> None:
        self.policy = policy
        self._tokens = 1.0
        self._at: float | None = None

    def take(self, now: float) -> float:
        """0.0 when a request may go out now (its token is taken); else the seconds after which to ask again."""
        if self._at is not None:
            self._tokens += max(0.0, now - self._at) * self.policy.per_second
        self._at = now if self._at is None else max(now, self._at)
        self._tokens = min(self._tokens, self.policy.burst)
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return max((1.0 - self._tokens) / self.policy.per_second, SHORTEST_WAIT_S)
