"""GuardedReads: the Reads port while its store may be slow or away; nothing piles up before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from api.circuit import Circuit
from api.turns import Turns
from streams.core.breaker import BreakerPolicy
from streams.core.reads import AuditPage, AuditQuery, Reads
from streams.core.slo import Indicator

POSTGRESQL = "postgresql"
"""The circuit's name."""

POLICY = BreakerPolicy(threshold=3, timeout_s=3.0)
WAITING = 256
"""Requests: fewer than a healthy store answers within `WAIT_S`."""
WAIT_S = 2.0


class GuardedReads:
    """Implements Reads around another. KnownDown and Overloaded come at once, or at the latest when a turn does.

    The circuit is looked at twice: what waited for its turn must not go to a store that went down meanwhile.
    """

    def __init__(self, reads: Reads, circuit: Circuit, turns: Turns) -> None:
        self._reads = reads
        self._circuit = circuit
        self._turns = turns

    async def audit_logs(self, query: AuditQuery) -> AuditPage:
        async with self._guard():
            return await self._reads.audit_logs(query)

    async def indicators(self, hours: int) -> Mapping[str, Indicator]:
        async with self._guard():
            return await self._reads.indicators(hours)

    async def slo_window_hours(self) -> int:
        async with self._guard():
            return await self._reads.slo_window_hours()

    async def check_schema(self) -> None:
        async with self._guard():
            await self._reads.check_schema()

    @asynccontextmanager
    async def _guard(self) -> AsyncIterator[None]:
        self._circuit.check()
        async with self._turns.turn():
            with self._circuit.asked():
                yield
