"""KeyCache: what the database said of a key a moment ago, so that not every request asks it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from streams.core.api_keys import Keys, StoredKey

FRESH_S = 0.5
"""A key that was revoked opens so long still."""
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class _Entry:
    stored: StoredKey
    asked_at: float


class KeyCache:
    """Holds keys that are there; ids that are none are asked for each time, and fill nothing."""

    def __init__(self, keys: Keys, *, clock: Callable[[], float] = monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._asking: dict[str, asyncio.Task[StoredKey | None]] = {}

    def knows(self, key_id: str) -> bool:
        """Whether there was such a key when it was last asked for."""
        return key_id in self._entries

    def fresh(self, key_id: str) -> StoredKey | None:
        """What was found a moment ago."""
        entry = self._entries.get(key_id)
        return entry.stored if entry is not None and self._clock() - entry.asked_at < FRESH_S else None

    async def ask(self, key_id: str) -> StoredKey | None:
        """The key as it is now; of many that want the same one at once, one asks. Raises Unavailable."""
        asking = self._asking.get(key_id)
        if asking is None:
            asking = self._asking[key_id] = asyncio.create_task(self._ask(key_id))
            asking.add_done_callback(lambda done: self._asked(key_id, done))
        return await asyncio.shield(asking)

    async def _ask(self, key_id: str) -> StoredKey | None:
        asked_at = self._clock()
        stored = await self._keys.find(key_id)
        self._entries.pop(key_id, None)
        if stored is not None:
            self._entries[key_id] = _Entry(stored, asked_at)
            if len(self._entries) > REMEMBERED:
                self._entries.popitem(last=False)
        return stored

    def _asked(self, key_id: str, done: asyncio.Task[StoredKey | None]) -> None:
        del self._asking[key_id]
        if not done.cancelled():
            done.exception()  # seen here too: all who waited for it may have been cancelled
