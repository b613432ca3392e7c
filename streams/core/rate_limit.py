"""The token bucket: a worker's share of so many requests per period, evenly, and how long the next one waits."""

from __future__ import annotations

from msgspec import Struct

SHORTEST_WAIT_S = 0.001
"""So that rounding never makes a wait too short to pass."""


class RatePolicy(Struct, frozen=True):
    """The fleet's rate, and one worker's part of it."""

    rate: float
    """Requests per period of all workers together, above 0."""
    period_s: float
    share: float = 1.0
    """This worker's part, 0 to 1; the parts of all workers add up to 1."""
    saved: float | None = None
    """Tokens a full bucket holds, where that is not a second's worth."""

    @property
    def per_second(self) -> float:
        return self.rate * self.share / self.period_s

    @property
    def burst(self) -> float:
        """Tokens a full bucket holds, at least one: one second's worth, at most `rate`, for a worker that is alone.

        With the square of the share all buckets of a fleet together hold no more than one second's worth of its
        largest worker, because the squares of shares that add up to 1 add up to the largest share at most.
        """
        if self.saved is not None:
            return max(1.0, self.saved)
        return max(1.0, min(self.rate / self.period_s, self.rate) * self.share**2)


class TokenBucket:
    """Within any window of w seconds at most `per_second * w + burst` requests go out. `now` is monotonic seconds.

    The policy may be swapped at any time: a smaller one cuts what was saved up.
    """

    def __init__(self, policy: RatePolicy, *, full: bool = False) -> None:
        """Begins with one token, or `full`."""
        self.policy = policy
        self._tokens = policy.burst if full else 1.0
        self._at: float | None = None

    def take(self, now: float) -> float:
        """0.0 when a request may go out now (its token is taken); else the seconds after which to ask again.

        Without a share that is never: infinity.
        """
        wait = self.wait(now)
        if not wait:
            self._tokens -= 1.0
        return wait

    def wait(self, now: float) -> float:
        """What `take` would say; takes nothing."""
        per_second = self.policy.per_second
        if self._at is not None:
            self._tokens += max(0.0, now - self._at) * per_second
        self._at = now if self._at is None else max(now, self._at)
        self._tokens = min(self._tokens, self.policy.burst)
        if per_second <= 0.0:
            return float("inf")
        if self._tokens >= 1.0:
            return 0.0
        return max((1.0 - self._tokens) / per_second, SHORTEST_WAIT_S)


def share_of(assigned: int, partitions: int) -> float:
    """A worker's part of the fleet's rate: that of the topic's partitions which are assigned to it.

    `partitions` may lag behind a topic that grew.
    """
    return assigned / max(partitions, assigned) if assigned > 0 else 0.0
