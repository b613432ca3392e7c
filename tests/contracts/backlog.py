"""What every BacklogReader must do; run on the fake and on PostgreSQL."""

from __future__ import annotations

from typing import Protocol

from streams.core.ports import BacklogReader


class Waiting(Protocol):
    """Alerts that the test puts there."""

    @property
    def reader(self) -> BacklogReader: ...

    async def add(self, pending: int, delivered: int = 0) -> None: ...


class BacklogContract:
    """Subclass with a fixture `waiting`."""

    async def test_only_what_is_pending_is_counted(self, waiting: Waiting) -> None:
        assert await waiting.reader.pending(100) == 0
        await waiting.add(pending=7, delivered=5)
        assert await waiting.reader.pending(100) == 7

    async def test_no_more_is_counted_than_asked_for(self, waiting: Waiting) -> None:
        await waiting.add(pending=7)
        assert await waiting.reader.pending(7) == 7
        assert await waiting.reader.pending(3) == 3
