"""EndedSessions: which sessions of the console were ended before their time, known to every process of the API."""

from __future__ import annotations

import datetime as dt
from typing import Protocol


class EndedSessions(Protocol):
    """Each question is bounded in time. Raises StoreUnavailable; the caller does not retry."""

    async def end(self, session: str, until: dt.datetime) -> None:
        """From now on. By itself it would have ended at `until`. Ending it again changes nothing."""

    async def is_ended(self, session: str) -> bool:
        """Whether it was ended; what is past its time may be forgotten."""
