"""Circuit: a breaker around what the API asks of one service. It refuses at once, and tells metrics and log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import structlog

from api.metrics import ApiMetrics
from schemas.errors import KnownDown, QuestionFailed, Unavailable
from streams.core.breaker import Breaker, BreakerPolicy, BreakerState, Told

log = structlog.get_logger()


class Circuit:
    """One for each service, by its name, which is the metrics' label."""

    def __init__(
        self, name: str, policy: BreakerPolicy, metrics: ApiMetrics, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._name = name
        self._clock = clock
        self._breaker = Breaker(policy)
        self._told = Told()
        self._state_gauge = metrics.breaker_state.labels(name)
        self._failures_gauge = metrics.breaker_failures.labels(name)
        self._changes = metrics.breaker_changes
        self._state_gauge.set(self._told.state)

    def check(self) -> None:
        """For who is going to wait for a turn first. Raises KnownDown where `asked` would."""
        now = self._clock()
        self._show(now)
        if not self._breaker.ready(now):
            raise self._known_down(now)

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Around one question; what leaves it says how that ended. Raises KnownDown while the service is down."""
        now = self._clock()
        self._show(now)
        if not self._breaker.allows(now):
            raise self._known_down(now)
        probe = self._breaker.state(now) is BreakerState.HALF_OPEN
        try:
            yield
        except BaseException as error:
            self._ended(down=means_down(error), probe=probe)
            raise
        self._ended(down=False, probe=probe)

    def _ended(self, *, down: bool, probe: bool) -> None:
        """At half-open only the probe tells: what was asked before says nothing new."""
        now = self._clock()
        if probe or self._breaker.state(now) is not BreakerState.HALF_OPEN:
            (self._breaker.failed if down else self._breaker.succeeded)(now)
        self._show(now)

    def _known_down(self, now: float) -> KnownDown:
        return KnownDown(self._name, max(0.0, (self._breaker.retry_at or now) - now))

    def _show(self, now: float) -> None:
        self._failures_gauge.set(self._breaker.failures)
        if change := self._told.change(self._breaker.state(now)):
            self._changes.labels(self._name, *change.names).inc()
            log.warning("circuit breaker", service=self._name, before=change.names[0], now=change.names[1])
            self._state_gauge.set(change.now)


def means_down(error: BaseException) -> bool:
    """Whether a service that was asked is away. One that refuses, or ends what takes too long, has answered.

    A question that was given up (cancelled) was not answered.
    """
    if isinstance(error, Exception):
        return isinstance(error, Unavailable) and not isinstance(error, QuestionFailed)
    return True
