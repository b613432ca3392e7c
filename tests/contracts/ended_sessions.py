"""What EndedSessions must do; run on those in memory and on PostgreSQL."""

from __future__ import annotations

import datetime as dt

from streams.core.ended_sessions import EndedSessions

LATER = dt.datetime.now(dt.UTC) + dt.timedelta(hours=8)


class EndedSessionsContract:
    """Subclass with the fixture `ended`."""

    async def test_what_was_ended_is_and_no_other(self, ended: EndedSessions) -> None:
        await ended.end("one", LATER)
        assert [await ended.is_ended(session) for session in ("one", "two")] == [True, False]

    async def test_ending_again_changes_nothing(self, ended: EndedSessions) -> None:
        for _ in range(2):
            await ended.end("one", LATER)
        assert await ended.is_ended("one")
