"""Rules and configuration as they change in one history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.config import DynamicConfig
from streams.core.matching import Knowledge
from tests.histories.records import knowledge
from tests.histories.scene import Scene

_CALM: dict[str, Any] = {
    "moog_rate_limit": 1000, "moog_retry_base_delay": 0.05, "moog_retry_max_delay": 1, "circuit_breaker_threshold": 3,
    "circuit_breaker_timeout": 1, "unhandled_threshold": 3, "alerter_defer_sleep_ms": 200,
}  # fmt: skip
CONFIGS: tuple[dict[str, Any], ...] = (
    {},
    {"audit_unhandled_events": True, "moog_rate_limit": 20},
    {"alerter_queue_warn_threshold": 2, "alerter_queue_shed_threshold": 3, "alerter_queue_hard_limit": 50},
    {"alerter_queue_warn_threshold": 2, "alerter_queue_shed_threshold": 4, "alerter_queue_hard_limit": 60,
     "alerter_shed_mode": "defer", "moog_max_in_flight": 2},
    {"alerter_queue_warn_threshold": 2, "alerter_queue_shed_threshold": 3, "alerter_queue_hard_limit": 6,
     "alerter_shed_severity_floor": 4},
)  # fmt: skip
_CONFIGS = {
    (variant, paused): DynamicConfig(**_CALM | given | {"ingest_paused": paused})
    for variant, given in enumerate(CONFIGS)
    for paused in (False, True)
}


class Versions:
    """Every version there was, by number; `tell` gives the newest to whoever must know."""

    def __init__(self, scene: Scene, tell: Callable[[], None]) -> None:
        self._scene, self._tell = scene, tell
        self.all: dict[int, Knowledge] = {}
        self._variant, self._rules, self._paused = scene.plan.variant, 0, False
        self._make()

    @property
    def newest(self) -> Knowledge:
        return self.all[len(self.all)]

    def config(self, variant: int, rules: int) -> None:
        self._variant, self._rules = variant, rules
        self._change()
        self._scene.effects["configuration"] += 1

    def pause(self, seconds: float) -> None:
        """The operator's stop."""
        self._paused = True
        self._change()
        self._scene.loop.outside(seconds, self._go_on)
        self._scene.effects["operator's pause"] += 1

    def calm(self) -> None:
        """Nothing is held back, and nobody has stopped anything."""
        self._variant, self._paused = 0, False
        self._change()

    def _go_on(self) -> None:
        self._paused = False
        self._change()

    def _change(self) -> None:
        self._make()
        self._tell()

    def _make(self) -> None:
        version = len(self.all) + 1
        self.all[version] = knowledge(version, self._rules, _CONFIGS[self._variant, self._paused])
