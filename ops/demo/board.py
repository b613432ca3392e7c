"""What the demonstration knows at one moment; the script and the watcher write it, the screen reads it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from schemas.config import DynamicConfig
from streams.core.backpressure import Level
from streams.core.pausing import PauseReason

Announce = Callable[[str], None]

RATE_WINDOW_S = 3.0


@dataclass(frozen=True, slots=True)
class Held:
    """Partitions that one worker has paused for one reason."""

    reason: str
    worker: str
    partitions: int
    seconds: float | None = None
    """Since the first of them; None where nobody says."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What replays did so far."""

    rounds: int = 0
    sent: int = 0
    came_back: int = 0
    """Letters that failed again."""
    unsettled: int = 0
    """Replays of which nobody has counted what came back."""


@dataclass(frozen=True, slots=True)
class Told:
    """What only the workers' metrics tell."""

    level: Level = Level.CALM
    """Where the backlog stands, for the worker that sees it highest."""
    breaker: str = "closed"
    opened: int = 0
    """Times the breaker opened after it was closed."""
    probes_failed: int = 0
    remediation: str = "standby"
    paused_s: dict[str, float] = field(default_factory=dict)
    """By reason, summed over partitions, of all workers that ever ran."""


@dataclass(frozen=True, slots=True)
class Page:
    """A burn-rate alert, as Alertmanager told it last."""

    objective: str
    window: str
    """The long one, as in production."""
    severity: str
    summary: str
    firing: bool


@dataclass(slots=True)
class Figures:
    """What the tables, the broker and the workers' metrics say, read a few times a second."""

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
    config: DynamicConfig = field(default_factory=DynamicConfig)
    held: list[Held] = field(default_factory=list)
    shed: dict[int, int] = field(default_factory=dict)
    """Events shed, by severity."""
    by_itself: Replayed = Replayed()
    by_hand: Replayed = Replayed()
    told: Told = field(default_factory=Told)

    @property
    def lag(self) -> int:
        return max(0, self.log_end - self.decided)

    @property
    def pending(self) -> int:
        return self.alerts.get("pending", 0)

    @property
    def quiet(self) -> bool:
        """Nothing is left to do: no lag, no alert waits, nothing on its way to a topic."""
        return not (self.lag or self.unpublished or self.replaying or self.pending)

    def held_by(self, reason: PauseReason) -> int:
        """Partitions paused for this reason."""
        return sum(held.partitions for held in self.held if held.reason == reason)


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
    most_pending: int = 0
    """Alerts that waited at once, at most."""
    most_paused: int = 0
    """Partitions paused at once by the backlog, at most."""
    pages: Sequence[Page] = ()
    """Burn-rate alerts that were told; none where no Prometheus watches."""
    rang: tuple[float, Page] | None = None
    """The first page, and its seconds since the start."""
    resolved_at: float | None = None
    """When no page was left."""
    _history: deque[tuple[float, int]] = field(default_factory=deque)

    def say(self, step: str) -> None:
        self.step = step
        self.steps.append((time.monotonic() - self.began, step))
        self.announce(f"{self.steps[-1][0]:5.1f} s  {step}")

    def update(self, figures: Figures) -> None:
        self.figures = figures
        self.most_pending = max(self.most_pending, figures.pending)
        self.most_paused = max(self.most_paused, figures.held_by(PauseReason.BACKLOG))
        now = time.monotonic()
        self._history.append((now, figures.decided))
        while now - self._history[0][0] > RATE_WINDOW_S:
            self._history.popleft()

    def paged(self, pages: Sequence[Page]) -> None:
        """What the pager knows now; its first page, and that none is left, are steps."""
        self.pages = pages
        firing = [page for page in pages if page.firing and page.severity == "page"]
        at = time.monotonic() - self.began
        if firing and self.rang is None:
            self.rang = (at, firing[0])
            self.say(f"the pager rings: {firing[0].summary} (over {firing[0].window} at this pace)")
        elif self.rang and not firing and self.resolved_at is None:
            self.resolved_at = at
            self.say("the pager is told that the error budget burns no more")

    @property
    def watched(self) -> bool:
        """Whether any figures are there."""
        return bool(self._history)

    @property
    def events_per_second(self) -> float:
        if len(self._history) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._history[0], self._history[-1]
        return (last - first) / max(last_at - first_at, 0.001)
