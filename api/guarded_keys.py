"""GuardedKeys and GuardedAnswers: the ports of API keys and idempotency keys, while their store may be slow or away."""

from __future__ import annotations

import datetime as dt
import uuid

from api.guard import Guard
from schemas.scopes import ALL_SCOPES, Scope
from streams.core.api_keys import ApiKey, Keys, MadeKey, StoredKey, WantedKey
from streams.core.authors import Author
from streams.core.idempotency import IdempotencyStore, KeptAnswer, KeyedRequest, Verdict
from streams.core.paging import Page, Place


class GuardedKeys:
    """Implements Keys around another."""

    def __init__(self, keys: Keys, guard: Guard) -> None:
        self._keys = keys
        self._guard = guard

    async def find(self, key_id: str) -> StoredKey | None:
        async with self._guard.asked():
            return await self._keys.find(key_id)

    async def keys(self, *, client: str | None = None, after: Place | None = None, limit: int) -> Page[ApiKey]:
        async with self._guard.asked():
            return await self._keys.keys(client=client, after=after, limit=limit)

    async def create(self, wanted: WantedKey, author: Author) -> MadeKey:
        async with self._guard.asked():
            return await self._keys.create(wanted, author)

    async def rotate(
        self, client: str, author: Author, *, grace: dt.timedelta | None = None, within: frozenset[Scope] = ALL_SCOPES
    ) -> MadeKey | None:
        async with self._guard.asked():
            return await self._keys.rotate(client, author, grace=grace, within=within)

    async def revoke(self, key_id: str, author: Author) -> ApiKey | None:
        async with self._guard.asked():
            return await self._keys.revoke(key_id, author)


class GuardedAnswers:
    """Implements IdempotencyStore around another."""

    def __init__(self, store: IdempotencyStore, guard: Guard) -> None:
        self._store = store
        self._guard = guard

    async def begin(self, asked: KeyedRequest) -> Verdict:
        async with self._guard.asked():
            return await self._store.begin(asked)

    async def settle(self, asked: KeyedRequest, lease: uuid.UUID, answer: KeptAnswer) -> None:
        async with self._guard.asked():
            await self._store.settle(asked, lease, answer)

    async def release(self, asked: KeyedRequest, lease: uuid.UUID) -> None:
        async with self._guard.asked():
            await self._store.release(asked, lease)
