"""GuardedReads: the Reads port while its store may be slow or away; nothing piles up before it."""

from __future__ import annotations

from api.guard import Guard
from streams.core.breaker import BreakerPolicy
from streams.core.reads import AuditPage, AuditQuery, Reads

POSTGRESQL = "postgresql"
"""The circuit's name."""

POLICY = BreakerPolicy(threshold=3, timeout_s=3.0)
WAITING = 256
"""Requests: fewer than a healthy store answers within `WAIT_S`."""
WAIT_S = 2.0


class GuardedReads:
    """Implements Reads around another."""

    def __init__(self, reads: Reads, guard: Guard) -> None:
        self._reads = reads
        self._guard = guard

    async def audit_logs(self, query: AuditQuery) -> AuditPage:
        async with self._guard.asked():
            return await self._reads.audit_logs(query)

    async def check_schema(self) -> None:
        async with self._guard.asked():
            await self._reads.check_schema()
