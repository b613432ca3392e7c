"""How long to wait between two tries: exponential, with full jitter."""

from __future__ import annotations

from msgspec import Struct


class BackoffPolicy(Struct, frozen=True):
    """Delays in seconds."""

    base_s: float
    max_s: float


OUTSIDE = BackoffPolicy(base_s=0.2, max_s=2.0)
"""Between two tries of PostgreSQL or Kafka. A lane that waits alone begins again this long after they answer, at most;
something must be committed within three seconds of it."""

_DOUBLINGS = 64
"""Beyond these any base has reached any maximum; a float would overflow at 1024."""


def backoff(policy: BackoffPolicy, attempt: int, draw: float) -> float:
    """Seconds to wait after failed attempt `attempt` (0 for the first); `draw` is uniform in [0, 1)."""
    return draw * min(policy.base_s * 2.0 ** min(attempt, _DOUBLINGS), policy.max_s)
