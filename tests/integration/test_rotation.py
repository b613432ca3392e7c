"""Logins at PostgreSQL that are wrong, or were replaced unseen; under traffic: test_secured.py."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from schemas.secret_names import DB_PASSWORD, READS, Service
from streams.adapters.database import create_pool
from streams.adapters.secret_keeper import SecretKeeper
from streams.adapters.secret_sources import store_of
from tests.integration.conftest import Database
from tests.integration.vault import Vault


@pytest.mark.proves("vault.wrong")
async def test_a_wrong_password_in_the_store_locks_nobody_out(database: Database, vault: Vault) -> None:
    """A pool that has to open new connections takes the last login that opened, until what is stored opens."""
    password = database.secrets.get(DB_PASSWORD)
    assert password is not None
    vault.put("database/worker", DB_USER_CURRENT="mutt", DB_PASS_CURRENT=password.reveal())
    settings = vault.settings(Service.MATCH, database.settings)
    store = store_of(settings)
    assert store is not None
    secrets = SecretKeeper(store, READS[Service.MATCH], every_s=0)
    secrets.start()
    async with await create_pool(settings, secrets, size=2) as pool:
        first = await pool.fetchval("SELECT pg_backend_pid()")
        vault.put("database/worker", DB_USER_CURRENT="mutt", DB_PASS_CURRENT="not the password")
        await asyncio.to_thread(secrets.refresh)
        assert secrets.troubles == {}
        assert await until_other(pool, first)


async def test_a_login_that_was_replaced_unseen_is_looked_up_when_it_is_refused(
    database: Database, vault: Vault
) -> None:
    """Both logins that a service knows open no more, and its next look is far away."""
    for name in ("mutt_test_a", "mutt_test_b"):
        await database.pool.execute(f"DROP ROLE IF EXISTS {name}")
        await database.pool.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'of-{name}'")
    vault.put("database/worker", DB_USER_CURRENT="mutt_test_a", DB_PASS_CURRENT="of-mutt_test_a")
    settings = vault.settings(Service.MATCH, database.settings, vault_refresh=3600)
    store = store_of(settings)
    assert store is not None
    secrets = SecretKeeper(store, READS[Service.MATCH], every_s=0)
    secrets.start()
    async with await create_pool(settings, secrets, size=2) as pool:
        assert await pool.fetchval("SELECT current_user") == "mutt_test_a"
        vault.put("database/worker", DB_USER_CURRENT="mutt_test_b", DB_PASS_CURRENT="of-mutt_test_b")
        await database.pool.execute("ALTER ROLE mutt_test_a NOLOGIN")
        await pool.expire_connections()
        assert await pool.fetchval("SELECT current_user") == "mutt_test_b"
    for name in ("mutt_test_a", "mutt_test_b"):
        await database.pool.execute(f"DROP ROLE {name}")


async def until_other(pool: asyncpg.Pool, first: int) -> int:
    """The first connection that is another one."""
    while (now := int(await pool.fetchval("SELECT pg_backend_pid()"))) == first:
        await asyncio.sleep(0)
    return now
