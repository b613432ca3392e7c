"""Scopes: what a client of the API may do, one line each; and the client that has some."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """Closed. A route asks for one of them, or is public."""

    EVENTS_WRITE = "events:write"
    """Publish events."""
    EVENTS_READ = "events:read"
    """Read audited events, what no rule matches, traces, the ledger, deliveries, metrics and objectives."""
    RULES_READ = "rules:read"
    """Read rules, their hits, development hosts and teams."""
    RULES_WRITE = "rules:write"
    """Change rules, development hosts and teams."""
    CONFIG_READ = "config:read"
    """Read the dynamic configuration, maintenance windows and the state of the system."""
    CONFIG_WRITE = "config:write"
    """Change the dynamic configuration and maintenance windows."""
    AUDIT_READ = "audit:read"
    """Read who changed what."""
    DLQ_READ = "dlq:read"
    """Read dead letters and the jobs that replay them."""
    DLQ_WRITE = "dlq:write"
    """Replay, edit and park dead letters."""
    KEYS_ADMIN = "keys:admin"
    """Create, rotate and revoke API keys."""


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: the id that audit rows name, a name for people, and what it may do."""

    id: str
    name: str
    scopes: frozenset[Scope]
