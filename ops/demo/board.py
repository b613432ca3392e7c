"""What the demonstration knows at one moment; the script and the watcher write it, the screen reads it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

Announce = Callable[[str], None]

RATE_WINDOW_S = 3.0


@dataclass(slots=True)
class Figures:
    """What the tables and the broker say, read a few times a second."""

    dispositions: dict[str, int] = field(default_factory=dict)
    alerts: dict[str, int] = field(default_factory=dict)
    """By state: pending, delivered, dead."""
    letters: dict[str, int] = field(default_factory=dict)
    """Dead letters that are not replayed, by reason."""
    replaying: int = 0
    decided: int = 0
    """Offsets below next_offset, all ingest partitions."""
    log_end: int = 0
    unpublished: int = 0
    """Alerts and letters committed but not yet on their topic."""

    @property
    def lag(self) -> int:
        return max(0, self.log_end - self.decided)

    @property
    def quiet(self) -> bool:
        """Nothing is left to do: no lag, no alert waits, nothing on its way to a topic."""
        return not (self.lag or self.unpublished or self.replaying or self.alerts.get("pending", 0))


@dataclass(slots=True)
class Board:
    """The demonstration's state. `announce` prints a line where there is no screen."""

    announce: Announce
    figures: Figures = field(default_factory=Figures)
    step: str = "starting"
    steps: list[tuple[float, str]] = field(default_factory=list)
    """Seconds since the start, and what the script did."""
    began: float = field(default_factory=time.monotonic)
    acknowledged: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Records the broker acknowledged to the producer, by topic and partition."""
    processes: dict[str, str] = field(default_factory=dict)
    """By name: up, killed (by the script), DOWN."""
    restarts: int = 0
    _history: deque[tuple[float, int]] = field(default_factory=deque)

    def say(self, step: str) -> None:
        self.step = step
        self.steps.append((time.monotonic() - self.began, step))
        self.announce(f"{self.steps[-1][0]:5.1f} s  {step}")

    def update(self, figures: Figures) -> None:
        self.figures = figures
        now = time.monotonic()
        self._history.append((now, figures.decided))
        while now - self._history[0][0] > RATE_WINDOW_S:
            self._history.popleft()

    @property
    def events_per_second(self) -> float:
        if len(self._history) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._history[0], self._history[-1]
        return (last - first) / max(last_at - first_at, 0.001)
