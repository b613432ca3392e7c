"""The ports of API keys, of sessions that were ended and of idempotency keys, in memory."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from schemas.errors import ScopesExceeded, TwoKeysLive
from schemas.scopes import ALL_SCOPES, Scope
from schemas.secrets import Secret
from streams.core.api_keys import NEWEST, ApiKey, MadeKey, StoredKey, WantedKey, hash_of, new_key
from streams.core.authors import Author
from streams.core.idempotency import LEASE, Begun, KeptAnswer, KeptRequest, KeyedRequest, Verdict, verdict_on
from streams.core.paging import Page, Place, Sort

PEPPER = Secret("pepper of the tests, which is long enough")
NOON = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)


@dataclass
class MemoryKeys:
    """Implements Keys; `fault` is raised by every question."""

    now: Callable[[], dt.datetime] = lambda: NOON
    stored: dict[str, StoredKey] = field(default_factory=dict)
    authors: list[Author] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    fault: Exception | None = None

    async def find(self, key_id: str) -> StoredKey | None:
        self.asked.append(key_id)
        self._check()
        return self.stored.get(key_id)

    async def keys(
        self, *, client: str | None = None, sort: Sort = NEWEST, after: Place | None = None, limit: int
    ) -> Page[ApiKey]:
        self._check()
        stored = reversed(self.stored.values()) if sort.descending else self.stored.values()
        found = [one.key for one in stored if client in (None, one.key.client)]
        begin = int(after[0]) if after else 0
        page = tuple(found[begin : begin + limit])
        return Page(page, [begin + limit, "x"] if len(found) > begin + limit else None)

    async def create(self, wanted: WantedKey, author: Author) -> MadeKey:
        self._check()
        wanted.check(self.now())
        if len(self._live(wanted.client)) >= 2:
            raise TwoKeysLive(f"client {wanted.client} has two live keys; revoke one first")
        number = len(self.stored) + 1
        made = new_key(number.to_bytes(12, "big"), number.to_bytes(32, "big"))
        key = ApiKey(made.id, wanted.client, wanted.name, wanted.scopes, self.now(), wanted.expires_at)
        self.stored[made.id] = StoredKey(key, hash_of(made, PEPPER))
        self.authors.append(author)
        return MadeKey(key, made.text)

    async def rotate(
        self, client: str, author: Author, *, grace: dt.timedelta | None = None, within: frozenset[Scope] = ALL_SCOPES
    ) -> MadeKey | None:
        self._check()
        live = self._live(client)
        if not live:
            return None
        newest = live[-1]
        if not newest.scopes <= within:
            raise ScopesExceeded("its keys have scopes that yours does not have")
        life = newest.expires_at - newest.created_at if newest.expires_at else None
        expires = self.now() + life if life else None
        made = await self.create(WantedKey(client, newest.scopes, newest.name, expires), author)
        if grace is not None:
            self._change(newest.id, expires_at=self.now() + grace)
        return made

    async def revoke(self, key_id: str, author: Author) -> ApiKey | None:
        self._check()
        one = self.stored.get(key_id)
        if one is None:
            return None
        self.authors.append(author)
        return self._change(key_id, revoked_at=one.key.revoked_at or self.now())

    def _live(self, client: str) -> list[ApiKey]:
        keys = [one.key for one in self.stored.values() if one.key.client == client]
        return [key for key in keys if not key.dead(self.now())]

    def _change(self, key_id: str, **changes: dt.datetime) -> ApiKey:
        one = self.stored[key_id]
        self.stored[key_id] = replace(one, key=replace(one.key, **changes))  # type: ignore[arg-type]
        return self.stored[key_id].key

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault


@dataclass
class MemoryEndedSessions:
    """Implements EndedSessions; `fault` is raised by every question."""

    ended: dict[str, dt.datetime] = field(default_factory=dict)
    fault: Exception | None = None

    async def end(self, session: str, until: dt.datetime) -> None:
        self._check()
        self.ended.setdefault(session, until)

    async def is_ended(self, session: str) -> bool:
        self._check()
        return session in self.ended

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault


@dataclass
class _Kept:
    asked: KeyedRequest
    lease: uuid.UUID
    until: dt.datetime
    answer: KeptAnswer | None = None
    done: bool = False
    """What a store on a database hears from the transaction that did it."""


@dataclass
class MemoryAnswers:
    """Implements IdempotencyStore; `fault` is raised by every question."""

    now: Callable[[], dt.datetime] = lambda: NOON
    lease: dt.timedelta = LEASE
    kept: dict[tuple[str, str], _Kept] = field(default_factory=dict)
    fault: Exception | None = None

    async def begin(self, asked: KeyedRequest) -> Verdict:
        self._check()
        one = self.kept.get((asked.client, asked.key))
        if one is not None:
            over = one.until <= self.now()
            kept = KeptRequest(one.asked.request, one.asked.body_sha256, one.answer, lost=one.done and over)
            if one.answer is not None or one.asked != asked or one.done or not over:
                return verdict_on(asked, kept)
        lease = uuid.uuid4()
        self.kept[asked.client, asked.key] = _Kept(asked, lease, self.now() + self.lease)
        return Begun(lease)

    async def settle(self, asked: KeyedRequest, lease: uuid.UUID, answer: KeptAnswer) -> None:
        if one := self._mine(asked, lease):
            one.answer = answer

    async def release(self, asked: KeyedRequest, lease: uuid.UUID) -> None:
        if (one := self._mine(asked, lease)) and not one.done:
            del self.kept[asked.client, asked.key]

    def _mine(self, asked: KeyedRequest, lease: uuid.UUID) -> _Kept | None:
        self._check()
        one = self.kept.get((asked.client, asked.key))
        return one if one is not None and one.lease == lease and one.answer is None else None

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault
