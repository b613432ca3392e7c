"""Between two tries of what is away: counted, told, and then a while, the same everywhere."""

from __future__ import annotations

from typing import Any

import structlog

from schemas.errors import BrokerUnavailable, Unavailable
from streams import metrics
from streams.core.backoff import OUTSIDE, backoff

log = structlog.get_logger()


def wait_after(fault: Unavailable, attempt: int, draw: float, log: Any = log) -> float:
    """Counts and logs that try number `attempt` (0 for the first) failed; seconds until the next.

    `draw` is uniform in [0, 1); `log` may be one that says more.
    """
    service = "kafka" if isinstance(fault, BrokerUnavailable) else "postgresql"
    metrics.count_retry(service)
    log.warning("waiting", service=service, error=str(fault), attempt=attempt + 1)
    return backoff(OUTSIDE, attempt, draw)
