"""The circuit breaker: after so many failures in a row nothing is sent for a while, then a single probe."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class BreakerState(IntEnum):
    """The number is the value of the gauge."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Transition(Struct, frozen=True):
    """One change of state, as it is told."""

    before: BreakerState
    now: BreakerState

    @property
    def names(self) -> tuple[str, str]:
        """From and to, as metrics and log name them."""
        return self.before.name.lower(), self.now.name.lower()


class Told:
    """What was told last of a breaker, so that each change is told once, however often somebody looks."""

    def __init__(self) -> None:
        self.state = BreakerState.CLOSED

    def change(self, state: BreakerState) -> Transition | None:
        """The change to tell, which counts as told from now on; None where there is none."""
        if state is self.state:
            return None
        before, self.state = self.state, state
        return Transition(before, state)


class BreakerPolicy(Struct, frozen=True):
    threshold: int
    """Failures in a row that open it."""
    timeout_s: float
    """Open for this long, then one probe."""


class Breaker:
    """State of one receiver's breaker. `now` is monotonic seconds. The policy may be swapped at any time.

    Every request that was allowed must end in `succeeded` or `failed`.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    def state(self, now: float) -> BreakerState:
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._opened_at + self.policy.timeout_s else BreakerState.HALF_OPEN

    @property
    def retry_at(self) -> float | None:
        """When a probe may go out; None while closed."""
        return None if self._opened_at is None else self._opened_at + self.policy.timeout_s

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    def ready(self, now: float) -> bool:
        """Whether `allows` would say yes."""
        state = self.state(now)
        return state is BreakerState.CLOSED or (state is BreakerState.HALF_OPEN and not self._probing)

    def allows(self, now: float) -> bool:
        """Whether a request may go out now. At half-open the one that is told yes is the probe."""
        if not self.ready(now):
            return False
        self._probing = self.state(now) is BreakerState.HALF_OPEN
        return True

    def succeeded(self, now: float) -> None:
        """The receiver answered as it should. While open this is a request sent before: it changes nothing.

        But for the probe: a longer timeout that comes into force meanwhile opens the breaker behind it.
        """
        if self._probing or self.state(now) is not BreakerState.OPEN:
            self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self, now: float) -> None:
        """The receiver failed in a way worth retrying. A failed probe opens it again for a whole timeout."""
        self._failures += 1
        if self._probing:
            self._opened_at, self._probing = now, False
        elif self.state(now) is BreakerState.CLOSED and self._failures >= self.policy.threshold:
            self._opened_at = now
