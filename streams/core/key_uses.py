"""When keys were used last: remembered at once, written down at most once a minute for each."""

from __future__ import annotations

import datetime as dt

EVERY = dt.timedelta(minutes=1)


class KeyUses:
    """Holds an entry for each key that ever opened; so only for keys that are there."""

    def __init__(self) -> None:
        self._used: dict[str, dt.datetime] = {}
        self._written: dict[str, dt.datetime] = {}

    def note(self, key_id: str, now: dt.datetime) -> None:
        self._used[key_id] = now

    def due(self) -> dict[str, dt.datetime]:
        """Those that are to be written down now, and when each was used."""
        return {key_id: at for key_id, at in self._used.items() if self._is_due(key_id, at)}

    def written(self, uses: dict[str, dt.datetime]) -> None:
        self._written |= uses

    def _is_due(self, key_id: str, at: dt.datetime) -> bool:
        written = self._written.get(key_id)
        return written is None or at - written >= EVERY
