"""Who changes something, why, and through which request: what the audit names beside the change (I8)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Author:
    """The hand behind a change."""

    actor: str
    """`cli:<user>`, `api:<client>` or the role that acts by itself."""
    reason: str | None = None
    client_id: str | None = None
    correlation_id: str | None = None
    request_id: str | None = None
