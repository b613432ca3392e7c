"""The roles of PostgreSQL made by whoever owns the database and may make roles, and is no superuser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from msgspec.structs import replace

from ops.devstack.layout import Layout
from ops.devstack.postgres import Postgres
from schemas.secret_names import DatabaseRole, Service
from schemas.secrets import Secret
from schemas.settings import Settings
from streams.adapters.database import connect_as
from streams.adapters.database_roles import apply_roles, differences
from streams.adapters.login_rotation import LoginRotation
from streams.adapters.migrations import migrate
from streams.adapters.secret_sources import vault_store
from tests.integration.vault import Vault

PASSWORD = Secret("of the owner")
OWNER = "dba"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A server of its own, for roles are of all its databases. The owner's database is empty."""
    layout = Layout(tmp_path_factory.mktemp("owner") / "home")
    layout.create()
    postgres = Postgres(layout, "of the superuser", fsync=False)
    postgres.start()
    settings = Settings(database_url=postgres.url.replace("mutt@", "").rpartition("/")[0] + "/owned")
    try:
        asyncio.run(make_owner(settings))
        yield settings
    finally:
        postgres.kill()
        layout.purge()


async def make_owner(settings: Settings) -> None:
    admin = replace(settings, database_url=settings.database_url.replace("/owned", "/postgres"))
    connection = await connect_as(admin, "mutt", Secret("of the superuser"))
    await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD.reveal()}'")
    await connection.execute(f"CREATE DATABASE owned OWNER {OWNER}")
    await connection.close()


async def test_an_owner_who_is_no_superuser_makes_roles_and_replaces_logins(server: Settings, vault: Vault) -> None:
    connection = await connect_as(server, OWNER, PASSWORD)
    try:
        await migrate(connection)
        await apply_roles(connection)
        assert await differences(connection) == []
        await connection.execute("GRANT DELETE ON audit TO mutt_worker")
        await connection.execute("ALTER ROLE mutt_api RESET search_path")
        await apply_roles(connection)
        assert await differences(connection) == []
        await replaced(connection, server, vault)
        assert await differences(connection) == []
        await apply_roles(connection)
    finally:
        await connection.close()


async def replaced(connection: asyncpg.Connection, server: Settings, vault: Vault) -> None:
    """A first login, another in its place, and the first one's sessions end when they come to rest."""
    vault.put("database/worker", DB_USER_CURRENT="nobody_yet", DB_PASS_CURRENT="not used")
    settings = vault.settings(Service.ROTATE, server)
    rotation = LoginRotation(settings, vault_store(settings), connection, DatabaseRole.WORKER)
    assert (await rotation.switch(["mutt_worker"])).current == "mutt_worker_a"
    assert await rotation.retire(within_s=30)
    held = vault.held("database/worker")
    works = await connect_as(server, "mutt_worker_a", Secret(held["DB_PASS_CURRENT"]))
    assert await works.fetchval("SELECT count(*) FROM audit") == 0
    assert (await rotation.switch()).leaving == "mutt_worker_a"
    retired = await rotation.retire(within_s=30)
    assert retired is not None
    assert (retired.sessions, retired.kept) == (0, False)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await works.fetchval("SELECT 1")
    works.terminate()
