"""API keys: how one is written, what of it is stored, and whether one that is presented opens."""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from schemas.errors import KeyRefused
from schemas.scopes import ALL_SCOPES, Scope
from schemas.secrets import Secret, is_among
from streams.core.authors import Author
from streams.core.paging import Page, Place, Sort

ID_BYTES = 12
"""Random bytes an id is made of; it is no secret."""
SECRET_BYTES = 32

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_KEY = re.compile(r"mutt_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_CLIENT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
CLIENT_RULE = "1 to 64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit"
LONGEST_NAME = 100
LONGEST_LIFE = dt.timedelta(days=3650)
NEWEST = Sort("created_at", descending=True)
RESERVED = frozenset({"development", "api-key"})
"""Clients that need no stored key: audit rows that name them must mean them."""

_NOBODY = bytes(32)
"""Compared with where there is no such key, so that the answer takes as long."""


class Failure(StrEnum):
    """Why a request was not authenticated; the label of the metric. The caller is never told which."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    WRONG = "wrong"
    EXPIRED = "expired"
    REVOKED = "revoked"
    LIMITED = "limited"
    """Not looked at: too many failed from there."""


class KeyState(StrEnum):
    """What has become of a key."""

    LIVE = "live"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a caller sent it, well formed."""

    id: str
    secret: Secret

    @property
    def text(self) -> Secret:
        """The whole key, for whom it was made."""
        return Secret(f"mutt_{self.id}_{self.secret.reveal()}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored and shown; nothing in it opens anything."""

    id: str
    client: str
    name: str
    scopes: frozenset[Scope]
    created_at: dt.datetime
    expires_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
    last_used_at: dt.datetime | None = None
    """To the minute."""

    def dead(self, now: dt.datetime) -> Failure | None:
        """Why it opens nothing any more."""
        if self.revoked_at is not None:
            return Failure.REVOKED
        return Failure.EXPIRED if self.expires_at is not None and now >= self.expires_at else None

    def state(self, now: dt.datetime) -> KeyState:
        return KeyState(self.dead(now) or KeyState.LIVE)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key with the hash that a presented one must have."""

    key: ApiKey
    key_hash: bytes = field(repr=False)


def parse_key(text: str) -> PresentedKey | None:
    """None where it is not written as a key of ours."""
    found = _KEY.fullmatch(text)
    return PresentedKey(found.group(1), Secret(found.group(2))) if found else None


def new_key(id_bytes: bytes, secret_bytes: bytes) -> PresentedKey:
    """The key of these random bytes."""
    identity = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in id_bytes)
    return PresentedKey(identity, Secret(base64.urlsafe_b64encode(secret_bytes).decode().rstrip("=")))


def hash_of(presented: PresentedKey, pepper: Secret) -> bytes:
    """What is stored of a key. It holds the id, so that a hash moved to another row opens nothing."""
    content = f"mutt api key\0{presented.id}\0{presented.secret.reveal()}"
    return hmac.digest(pepper.reveal().encode(), content.encode(), "sha256")


def judge(
    presented: PresentedKey, stored: StoredKey | None, peppers: Sequence[Secret], now: dt.datetime
) -> Failure | None:
    """None where the key opens, under any of the peppers.

    Takes as long for a key that is not there as for a wrong secret.
    """
    wanted = stored.key_hash if stored else _NOBODY
    right = is_among(wanted, (hash_of(presented, pepper) for pepper in peppers))
    if stored is None:
        return Failure.UNKNOWN
    return stored.key.dead(now) if right else Failure.WRONG


class Rehash(NamedTuple):
    """A hash that is to be stored in the place of another."""

    old: bytes
    new: bytes


def hash_due(presented: PresentedKey, stored: StoredKey, newest: Secret) -> bytes | None:
    """The hash of a key that opened, where the stored one is under an older pepper."""
    due = hash_of(presented, newest)
    return None if hmac.compare_digest(due, stored.key_hash) else due


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key that is to be made."""

    client: str
    scopes: frozenset[Scope]
    name: str = ""
    expires_at: dt.datetime | None = None

    def check(self, now: dt.datetime) -> None:
        """Raises KeyRefused with all that is wrong."""
        if problems := list(self._problems(now)):
            raise KeyRefused(problems)

    def _problems(self, now: dt.datetime) -> Iterator[str]:
        if not _CLIENT.fullmatch(self.client):
            yield f"client must be {CLIENT_RULE}"
        if self.client in RESERVED:
            yield f"client {self.client} is mutt's own"
        if not self.scopes:
            yield "a key needs at least one scope"
        if len(self.name) > LONGEST_NAME or not self.name.isprintable():
            yield f"name must be at most {LONGEST_NAME} characters that can be printed"
        if self.expires_at is not None and not now < self.expires_at <= now + LONGEST_LIFE:
            yield f"a key expires in the future, within {LONGEST_LIFE.days} days"


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key at the one moment when its secret is known."""

    key: ApiKey
    text: Secret


class Keys(Protocol):
    """Stored keys. Every method answers within seconds or raises StoreUnavailable; the caller does not retry."""

    async def find(self, key_id: str) -> StoredKey | None:
        """What a presented key is compared with, whether it is live or not."""

    async def keys(
        self, *, client: str | None = None, sort: Sort = NEWEST, after: Place | None = None, limit: int
    ) -> Page[ApiKey]:
        """Keys of one client, or of all."""

    async def create(self, wanted: WantedKey, author: Author) -> MadeKey:
        """Makes a key. Raises KeyRefused, TwoKeysLive."""

    async def rotate(
        self, client: str, author: Author, *, grace: dt.timedelta | None = None, within: frozenset[Scope] = ALL_SCOPES
    ) -> MadeKey | None:
        """Makes a key like the client's newest live one, with as long a life; None where there is no live one.

        The older one stays live, or expires after `grace`. Raises TwoKeysLive, and ScopesExceeded beyond `within`.
        """

    async def revoke(self, key_id: str, author: Author) -> ApiKey | None:
        """Ends a key at once; one that has ended stays as it is. None where there is no such key."""


def derived_key(pepper: Secret, purpose: str) -> bytes:
    """A key for another purpose than hashing API keys, from which the pepper cannot be told."""
    return hmac.digest(pepper.reveal().encode(), f"mutt derived key\0{purpose}".encode(), "sha256")
