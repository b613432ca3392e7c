"""Logins in the roles of PostgreSQL, with the password that the stack's own login has."""

from __future__ import annotations

import secrets as randomness
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from msgspec.structs import replace

from schemas.secret_names import DB_PASSWORD
from schemas.settings import Settings
from streams.adapters.database import create_pool
from streams.adapters.database_roles import apply_roles, make_login
from streams.core.database_access import DbRole
from streams.core.login_rotation import scram_verifier
from tests.integration.conftest import Database


async def make_logins(database: Database) -> None:
    """The roles, and one login in each, named like it and `_test`."""
    password = database.secrets.get(DB_PASSWORD)
    assert password is not None
    async with database.pool.acquire() as connection, connection.transaction():
        await apply_roles(connection)
        for role in set(DbRole) - {DbRole.OWNER}:
            verifier = scram_verifier(password, randomness.token_bytes(16))
            await make_login(connection, f"{role}_test", verifier, [role])


def settings_as(database: Database, role: DbRole | None) -> Settings:
    """The settings with the login in this role; without one it is the administrator's."""
    url = database.settings.database_url.replace("://mutt@", f"://{role}_test@" if role else "://mutt@")
    return replace(database.settings, database_url=url)


@asynccontextmanager
async def as_role(database: Database, role: DbRole | None) -> AsyncIterator[Database]:
    """The database as a login in this role has it."""
    settings = settings_as(database, role)
    pool: asyncpg.Pool = await create_pool(settings, database.secrets, size=4)
    try:
        yield Database(settings, database.secrets, pool)
    finally:
        pool.terminate()
