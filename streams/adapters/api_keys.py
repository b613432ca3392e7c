"""API keys in PostgreSQL: made, shown, revoked and looked up; who used one, and who failed to."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from schemas.errors import ScopesExceeded, SettingsRefused, TwoKeysLive
from schemas.scopes import ALL_SCOPES, Scope
from schemas.secret_names import API_PEPPER
from schemas.secrets import LiveSecrets
from streams.adapters.selects import Select
from streams.adapters.transactions import Transactions
from streams.core.api_keys import (
    ID_BYTES,
    NEWEST,
    SECRET_BYTES,
    ApiKey,
    Failure,
    MadeKey,
    Rehash,
    StoredKey,
    WantedKey,
    hash_of,
    new_key,
)
from streams.core.auth_failures import FailureRow
from streams.core.authors import Author
from streams.core.paging import Page, Place, Sort

_COLUMNS = "id, client, name, scopes, created_at, expires_at, revoked_at, last_used_at"
_SOURCE = "api_keys LEFT JOIN api_key_hashes USING (id)"

_FIND = f"SELECT {_COLUMNS}, key_hash FROM api_keys JOIN api_key_hashes USING (id) WHERE id = $1"  # noqa: S608 - constants
_SHOW = f"SELECT {_COLUMNS} FROM {_SOURCE} WHERE id = $1"  # noqa: S608 - constants
_LIVE = """
SELECT id, name, scopes, created_at, expires_at FROM api_keys
WHERE client = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
ORDER BY created_at DESC, id DESC FOR UPDATE"""
_INSERT = """
INSERT INTO api_keys (id, client, name, scopes, expires_at) VALUES ($1, $2, $3, $4, $5)
RETURNING id, client, name, scopes, created_at, expires_at, revoked_at, NULL::timestamptz AS last_used_at"""
_INSERT_HASH = "INSERT INTO api_key_hashes (id, key_hash) VALUES ($1, $2)"
_END = """
UPDATE api_keys SET expires_at = least(expires_at, now() + $2::interval) WHERE id = ANY($1)"""
_REVOKE = "UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL"
_USED = """
UPDATE api_key_hashes h SET last_used_at = u.at FROM unnest($1::text[], $2::timestamptz[]) u (id, at)
WHERE h.id = u.id AND (h.last_used_at IS NULL OR h.last_used_at <= u.at - interval '1 minute')"""
_REHASH = """
UPDATE api_key_hashes h SET key_hash = u.new FROM unnest($1::text[], $2::bytea[], $3::bytea[]) u (id, old, new)
WHERE h.id = u.id AND h.key_hash = u.old"""
_FAILED = """
INSERT INTO auth_failures AS f (minute, address, key_id, reason, failures, first_at, last_at)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[],
                     $7::timestamptz[])
ON CONFLICT (minute, address, key_id, reason) DO UPDATE SET failures = f.failures + excluded.failures,
    first_at = least(f.first_at, excluded.first_at), last_at = greatest(f.last_at, excluded.last_at)"""
_FAILURES = "SELECT * FROM auth_failures ORDER BY minute DESC, last_at DESC LIMIT $1"
_FORGET_FAILURES = """
DELETE FROM auth_failures WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM auth_failures WHERE minute < now() - $1::interval ORDER BY minute LIMIT $2)) RETURNING 1"""

FAILURES_KEPT = dt.timedelta(days=90)

_OWN = Author("api")
"""What the API writes by itself; none of it is configuration."""


class KeyStore:
    """Implements Keys on PostgreSQL. Without a pepper no key is made: SettingsRefused."""

    def __init__(self, transactions: Transactions, peppers: LiveSecrets) -> None:
        self._transactions = transactions
        self._peppers = peppers

    async def find(self, key_id: str) -> StoredKey | None:
        async with self._transactions.reading() as connection:
            row = await connection.fetchrow(_FIND, key_id)
        return StoredKey(_key(row), row["key_hash"]) if row else None

    async def keys(
        self, *, client: str | None = None, sort: Sort = NEWEST, after: Place | None = None, limit: int
    ) -> Page[ApiKey]:
        select = Select(_COLUMNS, _SOURCE)
        select.where("client = {}", client)
        async with self._transactions.reading() as connection:
            rows, place = await select.page(connection, sort, "id", after=after, limit=limit)
        return Page(tuple(map(_key, rows)), place)

    async def create(self, wanted: WantedKey, author: Author) -> MadeKey:
        async with self._transactions.writing(author) as connection:
            wanted.check(await connection.fetchval("SELECT now()"))
            return await self._insert(connection, wanted)

    async def rotate(
        self,
        client: str,
        author: Author,
        *,
        grace: dt.timedelta | None = None,
        within: frozenset[Scope] = ALL_SCOPES,
    ) -> MadeKey | None:
        async with self._transactions.writing(author) as connection:
            now = await connection.fetchval("SELECT now()")
            live = await connection.fetch(_LIVE, client)
            if not live:
                return None
            newest = live[0]
            scopes = _scopes(newest["scopes"])
            if not scopes <= within:
                raise ScopesExceeded("its keys have scopes that yours does not have")
            life = newest["expires_at"] - newest["created_at"] if newest["expires_at"] else None
            wanted = WantedKey(client, scopes, newest["name"], now + life if life else None)
            made = await self._insert(connection, wanted)
            if grace is not None:
                await connection.execute(_END, [row["id"] for row in live], grace)
            return made

    async def revoke(self, key_id: str, author: Author) -> ApiKey | None:
        async with self._transactions.writing(author) as connection:
            await connection.execute(_REVOKE, key_id)
            row = await connection.fetchrow(_SHOW, key_id)
        return _key(row) if row else None

    async def note_uses(self, uses: Mapping[str, dt.datetime]) -> None:
        """When keys were used last, to the minute."""
        async with self._transactions.writing(_OWN) as connection:
            await connection.execute(_USED, list(uses), list(uses.values()))

    async def note_hashes(self, hashes: Mapping[str, Rehash]) -> None:
        """Replaces hashes that are still the old ones, by key id."""
        columns = list(hashes), [each.old for each in hashes.values()], [each.new for each in hashes.values()]
        async with self._transactions.writing(_OWN) as connection:
            await connection.execute(_REHASH, *columns)

    async def note_failures(self, rows: Sequence[FailureRow]) -> None:
        """Adds to the minutes that are there."""
        columns = [
            [row.minute for row in rows],
            [row.address for row in rows],
            [row.key_id for row in rows],
            [row.reason.value for row in rows],
            [row.failures for row in rows],
            [row.first_at for row in rows],
            [row.last_at for row in rows],
        ]
        async with self._transactions.writing(_OWN) as connection:
            await connection.execute(_FAILED, *columns)

    async def failures(self, limit: int) -> list[FailureRow]:
        """The last ones, the newest first."""
        async with self._transactions.reading() as connection:
            rows = await connection.fetch(_FAILURES, limit)
        return [FailureRow(**dict(row) | {"reason": Failure(row["reason"])}) for row in rows]

    async def forget_failures(self, limit: int, kept: dt.timedelta = FAILURES_KEPT) -> int:
        """Deletes the oldest of what is past its time; returns how many rows."""
        async with self._transactions.writing(_OWN) as connection:
            return len(await connection.fetch(_FORGET_FAILURES, kept, limit))

    async def _insert(self, connection: Any, wanted: WantedKey) -> MadeKey:
        peppers = self._peppers()
        if not peppers:
            raise SettingsRefused(f"the secret {API_PEPPER} is missing, with which API keys are hashed")
        made = new_key(secrets.token_bytes(ID_BYTES), secrets.token_bytes(SECRET_BYTES))
        scopes = sorted(wanted.scopes)
        with _two_live(wanted.client):
            row = await connection.fetchrow(_INSERT, made.id, wanted.client, wanted.name, scopes, wanted.expires_at)
        await connection.execute(_INSERT_HASH, made.id, hash_of(made, peppers[0]))
        return MadeKey(_key(row), made.text)


@contextmanager
def _two_live(client: str) -> Iterator[None]:
    try:
        yield
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "api_keys_two_live":
            raise
        raise TwoKeysLive(f"client {client} has two live keys; revoke one first") from error


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row["id"],
        client=row["client"],
        name=row["name"],
        scopes=_scopes(row["scopes"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )


def _scopes(names: Sequence[str]) -> frozenset[Scope]:
    """Those that this program knows: a name of a newer one grants nothing here."""
    known = {scope.value: scope for scope in Scope}
    return frozenset(known[name] for name in names if name in known)
