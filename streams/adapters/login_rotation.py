"""Replaces a database login in two steps, each of which can be repeated: a second one, then the first retired."""

from __future__ import annotations

import asyncio
import secrets as randomness
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg

from schemas.errors import Refused, SettingsRefused
from schemas.secret_names import DB_PASSWORD_NEXT, DB_USER, DB_USER_NEXT, DatabaseRole, database_group
from schemas.secrets import Secret
from schemas.settings import Settings
from streams import crash
from streams.adapters.database import connect_as
from streams.adapters.database_roles import make_login
from streams.adapters.secrets import Loaded
from streams.adapters.vault_store import VaultStore
from streams.core.database_access import quoted
from streams.core.login_rotation import (
    Stage,
    is_ours,
    other_login,
    prepared,
    retired,
    scram_verifier,
    stage_of,
    switched,
)

LOOK_S = 0.5

_MEMBER_OF = """
SELECT array_agg(g.rolname::text ORDER BY g.rolname) FROM pg_auth_members m
  JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = $1"""
_IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"
_END_IDLE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = $1 AND state = 'idle'"""


class Switched(NamedTuple):
    """The logins after the first step."""

    current: str
    leaving: str


class Retired(NamedTuple):
    """How the second step ended."""

    login: str
    sessions: int
    """Still there; above zero nothing was taken from the secret yet."""
    kept: bool
    """It is none that a rotation made, so it may log in as before."""


class LoginRotation:
    """For one database role. `connection` may make roles, and ends sessions.

    Raises Refused, SettingsRefused, SecretsUnavailable, and asyncpg's errors.
    """

    def __init__(
        self, settings: Settings, store: VaultStore, connection: asyncpg.Connection, role: DatabaseRole
    ) -> None:
        self._settings = settings
        self._store = store
        self._connection = connection
        self._role = role
        self._group = database_group(role)

    async def switch(self, member_of: Sequence[str] = ()) -> Switched:
        """A second login that may do what the first may; it is tried, and then is the first one."""
        found = await self._load()
        current = self._current(found)
        stage = stage_of(found.values)
        if stage is Stage.LEAVING:
            leaving = found.values[DB_USER_NEXT].reveal()
            raise Refused(f"{leaving} is leaving still; finish with: mutt secrets rotate-db {self._role} --retire")
        groups = member_of or await self._connection.fetchval(_MEMBER_OF, current)
        if not groups:
            raise Refused(f"{current} is a member of no role; name the role that its successor gets with --member-of")
        if stage is None:
            coming = other_login(self._role, current)
            found = await self._save(found, prepared(found.values, coming, Secret(randomness.token_urlsafe(32))))
        crash.here("next_login_stored")
        login, password = found.values[DB_USER_NEXT].reveal(), found.values[DB_PASSWORD_NEXT]
        await self._make(login, password, groups)
        crash.here("next_login_made")
        await (await connect_as(self._settings, login, password)).close()
        await self._save(found, switched(found.values, current))
        crash.here("logins_switched")
        return Switched(login, current)

    async def retire(self, *, within_s: float) -> Retired | None:
        """The leaving login opens no more, its sessions end when they are at rest. None where none is leaving."""
        found = await self._load()
        if stage_of(found.values) is not Stage.LEAVING:
            return None
        login = found.values[DB_USER_NEXT].reveal()
        left = 0
        if is_ours(login):
            await self._connection.execute(f"ALTER ROLE {quoted(login)} NOLOGIN PASSWORD NULL")
            async with self._having_rights_of(login):
                left = await self._end_sessions(login, within_s)
        if not left:
            await self._save(found, retired(found.values))
        return Retired(login, left, kept=not is_ours(login))

    async def _end_sessions(self, login: str, within_s: float) -> int:
        """First everybody gets the time to notice, then what is at rest is ended. How many are left."""
        await asyncio.sleep(2 * self._settings.vault_refresh)
        end = time.monotonic() + within_s
        while left := int(await self._connection.fetchval(_SESSIONS, login)):
            if time.monotonic() > end:
                break
            await self._connection.fetchval(_END_IDLE, login)
            await asyncio.sleep(LOOK_S)
        return left

    @asynccontextmanager
    async def _having_rights_of(self, login: str) -> AsyncIterator[None]:
        """Whoever is no superuser sees and ends the sessions of those alone whose rights he has."""
        if await self._connection.fetchval(_IS_SUPERUSER):
            yield
            return
        await self._connection.execute(f"GRANT {quoted(login)} TO CURRENT_USER WITH INHERIT TRUE, SET FALSE")
        try:
            yield
        finally:
            await self._connection.execute(f"REVOKE {quoted(login)} FROM CURRENT_USER")

    async def _make(self, login: str, password: Secret, groups: Sequence[str]) -> None:
        """In one transaction: the login is there with all it may do, or not at all."""
        verifier = scram_verifier(password, randomness.token_bytes(16))
        async with self._connection.transaction():
            await make_login(self._connection, login, verifier, groups)

    def _current(self, found: Loaded) -> str:
        """The user in use: the secret's, or else the address's."""
        if DB_USER in found.values:
            return found.values[DB_USER].reveal()
        user = urlsplit(self._settings.database_url).username
        if not user:
            raise SettingsRefused(f"neither the secret {DB_USER} nor MUTT_DATABASE_URL names a user")
        return user

    async def _load(self) -> Loaded:
        return await asyncio.to_thread(self._store.load, self._group)

    async def _save(self, found: Loaded, values: dict[str, Any]) -> Loaded:
        """Over what was found, and nothing else."""
        await asyncio.to_thread(self._store.save, self._group, values, over=found.version)
        return Loaded(values, found.version + 1, found.created)
