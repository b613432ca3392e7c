"""Every secret is replaced while events and requests come in: none fails, and the books balance."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets as randomness
import urllib.error
import urllib.request
from typing import Any

import aiohttp
import asyncpg
import pytest

from ops.devstack.layout import free_port
from ops.devstack.processes import wait_until
from schemas.secret_names import DB_PASSWORD, READS, Service
from schemas.settings import Settings
from streams.adapters.database import create_pool
from streams.adapters.secret_keeper import SecretKeeper
from streams.adapters.secret_sources import store_of
from tests.chaos.checker.canaries import forms
from tests.integration.conftest import Database, System
from tests.integration.pipeline import add_rule, settled, until
from tests.integration.rotating import Clients, Receiver, asking, listening, made_signing
from tests.integration.vault import Vault
from tests.programs import bare_environment, run_text

LOOK_S = 0.2


class Rotations:
    """Replaces one secret after the other, and waits each time until it is the new one that serves."""

    def __init__(self, system: System, vault: Vault, receiver: Receiver, clients: Clients) -> None:
        self.system = system
        self.vault = vault
        self.receiver = receiver
        self.clients = clients
        self.used: list[str] = []
        """Every secret that ever was."""

    def mutt(self, service: Service, *arguments: str) -> Any:
        settings = self.vault.settings(service, self.system.settings, vault_refresh=LOOK_S)
        done = run_text("mutt", *arguments, "--json", environment=bare_environment(**settings.to_env()), within=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    async def database(self, role: str, *options: str) -> None:
        """Both steps; the old login is gone, and nobody of it is left."""
        pool = self.system.database.pool
        done = await asyncio.to_thread(self.mutt, Service.ROTATE, "secrets", "rotate-db", role, *options)
        sessions = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = $1"
        await until(lambda: pool.fetchval(sessions, done["current"]), f"{done['current']} is in use")
        held = self.vault.held(f"database/{role}")
        self.used.append(held["DB_PASS_CURRENT"])
        await asyncio.to_thread(self.mutt, Service.ROTATE, "secrets", "rotate-db", role, "--retire")
        assert set(self.vault.held(f"database/{role}")) == {"DB_USER_CURRENT", "DB_PASS_CURRENT"}
        if done["leaving"] != "mutt":
            assert not await pool.fetchval(sessions, done["leaving"])
            try:
                await asyncpg.connect(
                    self.system.settings.database_url, user=done["leaving"], password=held["DB_PASS_NEXT"]
                )
            except asyncpg.InvalidAuthorizationSpecificationError:
                return
            raise AssertionError(f"{done['leaving']} still logs in")

    async def token(self) -> None:
        new = randomness.token_urlsafe(32)
        self.used.append(new)
        old = set(self.receiver.tokens)
        self.receiver.tokens.add(new)
        self.webhook(MOOG_API_KEY=new)
        await self.posted(lambda: any(token == new for token, _ in self.receiver.seen), "the new token is shown")
        self.receiver.tokens -= old

    async def signing(self) -> None:
        [old] = self.receiver.signing
        new = made_signing()
        self.used.append(new)
        self.webhook(WEBHOOK_SIGNING_SECRET_NEXT=new)
        await self.posted(lambda: any(count == 2 for _, count in self.receiver.seen), "both sign")
        self.receiver.signing = {new}
        self.webhook(WEBHOOK_SIGNING_SECRET=new, WEBHOOK_SIGNING_SECRET_NEXT=old)
        held = self.vault.held("webhook")
        del held["WEBHOOK_SIGNING_SECRET_NEXT"]
        self.vault.put("webhook", **held)
        before = sum(count for (_, signatures), count in self.receiver.seen.items() if signatures == 1)
        await self.posted(
            lambda: sum(n for (_, signatures), n in self.receiver.seen.items() if signatures == 1) > before,
            "one signs again",
        )

    async def pepper(self) -> None:
        pool, hashes = self.system.database.pool, "SELECT array_agg(key_hash ORDER BY id) FROM api_key_hashes"
        held, before = self.vault.held("api"), await pool.fetchval(hashes)
        new = randomness.token_urlsafe(32)
        self.used.append(new)
        self.vault.put("api", **held | {"API_PEPPER": new, "API_PEPPER_PREVIOUS": held["API_PEPPER"]})

        async def renewed() -> bool:
            return bool(await pool.fetchval(hashes) != before)

        await until(renewed, "the key in use is stored under the new pepper")
        self.vault.put("api", **held | {"API_PEPPER": new})

    async def single_key(self) -> None:
        """A client of the one key goes over to the next."""
        held, stored = self.vault.held("api"), self.clients.key
        new = randomness.token_urlsafe(32)
        self.used.append(new)
        self.vault.put("api", **held | {"API_KEY_NEXT": new})
        await self.opens(new)
        self.clients.key = new
        self.vault.put("api", **held | {"API_KEY": new})
        await asyncio.to_thread(self.shut_out, held["API_KEY"])
        self.clients.key = stored

    async def opens(self, key: str) -> None:
        async with aiohttp.ClientSession() as session:

            async def status() -> bool:
                url = f"http://127.0.0.1:{self.clients.port}/api/v1/slo"
                async with session.get(url, headers={"X-API-KEY": key}) as answer:
                    return answer.status == 200

            await until(status, "the key opens")

    def shut_out(self, key: str) -> None:
        """The old one opens no more."""

        def refused() -> bool:
            url = f"http://127.0.0.1:{self.clients.port}/api/v1/slo"
            try:
                with urllib.request.urlopen(urllib.request.Request(url, headers={"X-API-KEY": key}), timeout=20):
                    return False
            except urllib.error.HTTPError as error:
                return error.code == 401

        wait_until(refused, what="the old key's end")

    def webhook(self, **values: str) -> None:
        self.vault.put("webhook", **self.vault.held("webhook") | values)

    async def posted(self, condition: Any, what: str) -> None:
        async def met() -> bool:
            return bool(condition())

        await until(met, what)


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
    appear_nowhere(system, rotations.used)


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


def appear_nowhere(system: System, used: list[str]) -> None:
    """I9: in no log, in no form."""
    logs = {path.name: path.read_bytes() for path in system.stack.layout.logs.glob("*.log")}
    assert {"match-1.log", "forward-1.log", "api.log", "openbao.log", "postgres.log"} <= set(logs)
    seen = [
        (name, form, hashlib.sha256(secret.encode()).hexdigest()[:8])
        for name, held in logs.items()
        for secret in used
        for form, needle in forms(secret)
        if needle in held
    ]
    assert seen == []
