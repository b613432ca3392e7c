"""Every secret is replaced while events and requests come in: none fails, and the books balance."""

from __future__ import annotations

import asyncio
import secrets as randomness
import urllib.error
import urllib.request
from typing import Any

import asyncpg
import pytest

from ops.devstack.layout import free_port
from ops.devstack.processes import wait_until
from schemas.secret_names import DB_PASSWORD, READS, Service
from schemas.settings import Settings
from streams.adapters.database import create_pool
from streams.adapters.secret_keeper import SecretKeeper
from streams.adapters.secret_sources import store_of
from tests.integration.conftest import Database, System
from tests.integration.pipeline import add_rule, settled, until
from tests.integration.rotating import Clients, Receiver, asking, listening, made_signing
from tests.integration.rotations import LOOK_S, Rotations, appear_nowhere
from tests.integration.vault import Vault


async def test_everything_is_rotated_under_traffic_and_the_books_balance(system: System, vault: Vault) -> None:
    pool, stack = system.database.pool, system.stack
    password = (stack.layout.secrets / "DB_PASS_CURRENT").read_text()
    token, signing = randomness.token_urlsafe(32), made_signing()
    api = {"API_PEPPER": randomness.token_urlsafe(32), "API_KEY": randomness.token_urlsafe(32)}
    for role in ("worker", "api", "operator", "migrate", "admin"):
        vault.put(f"database/{role}", DB_USER_CURRENT="mutt", DB_PASS_CURRENT=password)
    vault.put("webhook", MOOG_API_KEY=token, WEBHOOK_SIGNING_SECRET=signing)
    vault.put("api", **api)
    await add_rule(pool, "link down")
    receiver = Receiver({token}, {signing})
    async with listening(receiver):
        port = start(system, vault, receiver)
        clients = Clients(port, "")
        rotations = Rotations(system, vault, receiver, clients)
        rotations.used += [token, signing, *api.values()]
        scopes = ("--scope", "events:read", "--scope", "events:write", "--scope", "audit:read")
        made = await asyncio.to_thread(rotations.mutt, Service.OPERATOR, "keys", "create", "rotor", *scopes)
        clients.key = made["key"]
        async with asking(clients):
            await until(lambda: pool.fetchval("SELECT count(*) > 20 FROM alerts WHERE state = 'delivered'"), "traffic")
            await rotations.database("worker", "--member-of", "mutt")
            await rotations.database("worker")
            await rotations.database("api", "--member-of", "mutt")
            await rotations.token()
            await rotations.signing()
            await rotations.pepper()
            await rotations.single_key()
        await settled(pool, stack.kafka.bootstrap)
        await until(lambda: pool.fetchval("SELECT count(*) = 0 FROM alerts WHERE state = 'pending'"), "all delivered")
    assert set(clients.answers) <= {200, 202}, clients.answers
    assert receiver.refused == 0
    assert clients.accepted > 100
    assert await pool.fetchval("SELECT count(*) FROM audit") == clients.accepted
    assert await pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'delivered'") == clients.accepted
    assert dict(receiver.posts) == dict.fromkeys(receiver.posts, 1)
    assert len(receiver.posts) == clients.accepted
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    logs = {"match-1.log", "forward-1.log", "api.log", "openbao.log", "postgres.log"}
    appear_nowhere(stack.layout.logs, rotations.used, at_least=logs)


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


def start(system: System, vault: Vault, receiver: Receiver) -> int:
    """Two workers that match and forward, and the API; returns its port."""
    stack, port = system.stack, free_port()

    def of(service: Service) -> dict[str, Any]:
        changed = vault.settings(service, Settings(), vault_refresh=LOOK_S)
        names = ("vault_addr", "vault_role_id", "vault_secret_id_file", "vault_refresh")
        return {name: getattr(changed, name) for name in names} | {"webhook_url": receiver.url}

    system.start("match-1", **of(Service.MATCH))
    system.start("forward-1", **of(Service.FORWARD))
    address = system.settings.database_url
    api = stack.spawn("api", [*stack.mutt()[:1], "-m", "api"], database_url=address, api_port=port, **of(Service.API))
    wait_until(lambda: is_up(port), what="the API", child=api)
    return port


def is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
