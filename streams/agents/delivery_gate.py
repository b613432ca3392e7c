"""When the next post may go out: posts at once, the circuit breaker, and the share of the fleet's rate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from schemas.config import DynamicConfig
from streams import metrics
from streams.core.breaker import Breaker, BreakerPolicy, BreakerState
from streams.core.delivery import Kind
from streams.core.ports import Clock
from streams.core.rate_limit import RatePolicy, TokenBucket

log = structlog.get_logger()

RECHECK_S = 1.0
"""The longest a waiting alert goes without looking again: a changed configuration is in force within it."""
RECEIVER = "moogsoft"

Sleep = Callable[[float], Awaitable[None]]


class Gate:
    """Lets posts through one by one. The first in line waits for what is missing, the others wait behind it.

    `share` is the part of the fleet's rate that this worker may use: that of its partitions.
    """

    def __init__(self, config: Callable[[], DynamicConfig], clock: Clock, sleep: Sleep) -> None:
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._breaker = Breaker(_breaker_policy(config()))
        self._bucket = TokenBucket(_rate_policy(config(), 1.0))
        self._turn = asyncio.Lock()
        self._moved = asyncio.Event()
        self._shown = BreakerState.CLOSED
        self._state_gauge = metrics.BREAKER_STATE.labels(RECEIVER)
        self._failures_gauge = metrics.BREAKER_FAILURES.labels(RECEIVER)
        self._state_gauge.set(self._shown)
        self.share = 1.0
        self.posting = 0
        self.closed_by: str | None = None
        """While set no post goes out: what it would come to cannot be written."""

    @property
    def breaker_state(self) -> BreakerState:
        return self._breaker.state(self._clock.monotonic())

    async def enter(self, given_up: Callable[[], bool]) -> bool:
        """Waits until a post may go out, then counts it; False when the alert is given up before."""
        async with self._turn:
            limited = False
            while not given_up():
                wait, by_rate = self._missing()
                if wait <= 0.0:
                    self.posting += 1
                    return True
                if by_rate and not limited:
                    limited = True
                    metrics.MOOG_RATE_LIMITED.inc()
                await self._sleep_or_move(min(wait, RECHECK_S))
        return False

    def leave(self, kind: Kind) -> None:
        """One post ended: a refusal of the alert is still an answer of a receiver that works."""
        now = self._clock.monotonic()
        self.posting -= 1
        if kind is Kind.RETRY:
            self._breaker.failed(now)
        else:
            self._breaker.succeeded(now)
        self._show(now)
        self._moved.set()

    def _missing(self) -> tuple[float, bool]:
        """Seconds to wait at most before looking again, and whether for the rate; 0 when the post is taken on."""
        config, now = self._config(), self._clock.monotonic()
        self._breaker.policy = _breaker_policy(config)
        self._bucket.policy = _rate_policy(config, self.share)
        self._show(now)
        if self.closed_by is not None or self.posting >= config.moog_max_in_flight:
            return RECHECK_S, False
        if not self._breaker.ready(now):
            return max(0.001, (self._breaker.retry_at or 0.0) - now) if self._is_open(now) else RECHECK_S, False
        wait = self._bucket.take(now)
        if wait <= 0.0:
            self._breaker.allows(now)
        return wait, True

    def _is_open(self, now: float) -> bool:
        return self._breaker.state(now) is BreakerState.OPEN

    async def _sleep_or_move(self, seconds: float) -> None:
        """Until the time is over or a post ended."""
        self._moved.clear()
        waits = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._moved.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _show(self, now: float) -> None:
        state = self._breaker.state(now)
        self._failures_gauge.set(self._breaker.failures)
        if state is self._shown:
            return
        names = self._shown.name.lower(), state.name.lower()
        metrics.BREAKER_CHANGES.labels(RECEIVER, *names).inc()
        log.warning("circuit breaker", receiver=RECEIVER, before=names[0], now=names[1])
        self._state_gauge.set(state)
        self._shown = state


def _breaker_policy(config: DynamicConfig) -> BreakerPolicy:
    return BreakerPolicy(config.circuit_breaker_threshold, config.circuit_breaker_timeout)


def _rate_policy(config: DynamicConfig, share: float) -> RatePolicy:
    return RatePolicy(config.moog_rate_limit, config.moog_rate_period, share)
