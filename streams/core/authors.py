"""Who changes something, why, and through which request: what the audit names beside the change (I8)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hold:
    """The Idempotency-Key under which a request runs: what it changes and that it was done are committed as one."""

    client: str
    key: str = field(repr=False)
    lease: uuid.UUID


@dataclass(frozen=True, slots=True)
class Author:
    """The hand behind a change."""

    actor: str
    """`cli:<user>`, `api:<client>` or the role that acts by itself."""
    reason: str | None = None
    client_id: str | None = None
    correlation_id: str | None = None
    request_id: str | None = None
    hold: Hold | None = None
