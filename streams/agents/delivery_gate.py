"""When the next post may go out: posts at once, the circuit breaker, and the share of the fleet's rate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from schemas.config import DynamicConfig
from streams import metrics
from streams.core.breaker import Breaker, BreakerPolicy, BreakerState, Told
from streams.core.delivery import Kind
from streams.core.ports import Clock
from streams.core.rate_limit import RatePolicy, TokenBucket

log = structlog.get_logger()

RECHECK_S = 1.0
"""The longest a waiting alert goes without looking again: a changed configuration is in force within it."""

Sleep = Callable[[float], Awaitable[None]]


class Gate:
    """Lets posts through one by one. Each one that entered must leave.

    `share` is the part of the fleet's rate that this worker may use: that of its partitions. `on_breaker` is told of
    every change of the breaker's state.
    """

    def __init__(
        self,
        config: Callable[[], DynamicConfig],
        clock: Clock,
        *,
        receiver: str,
        on_breaker: Callable[[BreakerState], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._receiver = receiver
        self._on_breaker = on_breaker
        self._breaker = Breaker(_breaker_policy(config()))
        self._bucket = TokenBucket(_rate_policy(config(), 1.0))
        self._limited = False
        self._told = Told()
        self._state_gauge = metrics.BREAKER_STATE.labels(receiver)
        self._failures_gauge = metrics.BREAKER_FAILURES.labels(receiver)
        self._state_gauge.set(self._told.state)
        self.share = 1.0
        self.posting = 0
        self.closed_by: str | None = None
        """While set no post goes out: what it would come to cannot be written."""

    @property
    def breaker_state(self) -> BreakerState:
        return self._breaker.state(self._clock.monotonic())

    def look(self) -> float:
        """Follows configuration and breaker. Seconds until its state may change by itself, at most a recheck."""
        config, now = self._config(), self._clock.monotonic()
        self._breaker.policy = _breaker_policy(config)
        self._bucket.policy = _rate_policy(config, self.share)
        self._show(now)
        if self._breaker.state(now) is not BreakerState.OPEN:
            return RECHECK_S
        return min(RECHECK_S, max(0.001, (self._breaker.retry_at or 0.0) - now))

    def enter(self) -> float:
        """0.0 when a post goes out now, which it counts; else the seconds after which to ask again at the latest."""
        recheck, now = self.look(), self._clock.monotonic()
        if self.closed_by is not None or self.posting >= self._config().moog_max_in_flight or not self._passes(now):
            return recheck
        wait = self._bucket.take(now)
        if wait > 0.0:
            self._count_limited()
            return min(wait, recheck)
        self._limited = False
        self._breaker.allows(now)
        self.posting += 1
        return 0.0

    def leave(self, kind: Kind) -> None:
        """One post ended: a refusal of the alert is still an answer of a receiver that works."""
        now = self._clock.monotonic()
        self.posting -= 1
        if kind is Kind.RETRY:
            self._breaker.failed(now)
        else:
            self._breaker.succeeded(now)
        self._show(now)

    def _passes(self, now: float) -> bool:
        """The probe goes alone: what went out before must not be taken for its answer."""
        probing = self._breaker.state(now) is BreakerState.HALF_OPEN
        return self._breaker.ready(now) and not (probing and self.posting)

    def _count_limited(self) -> None:
        """Once for each post that waits for the rate, however often it asks."""
        if not self._limited:
            self._limited = True
            metrics.MOOG_RATE_LIMITED.inc()

    def _show(self, now: float) -> None:
        self._failures_gauge.set(self._breaker.failures)
        if change := self._told.change(self._breaker.state(now)):
            metrics.BREAKER_CHANGES.labels(self._receiver, *change.names).inc()
            log.warning("circuit breaker", receiver=self._receiver, before=change.names[0], now=change.names[1])
            self._state_gauge.set(change.now)
            self._on_breaker(change.now)


def _breaker_policy(config: DynamicConfig) -> BreakerPolicy:
    return BreakerPolicy(config.circuit_breaker_threshold, config.circuit_breaker_timeout)


def _rate_policy(config: DynamicConfig, share: float) -> RatePolicy:
    return RatePolicy(config.moog_rate_limit, config.moog_rate_period, share)
