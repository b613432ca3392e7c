"""Replaces one secret after the other while everything runs, each time until it is the new one that serves."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets as randomness
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.devstack.processes import wait_until
from schemas.secret_names import Service
from schemas.secrets import Secret
from streams.adapters.database import connect_as
from tests.chaos.checker.canaries import forms
from tests.integration.conftest import System
from tests.integration.pipeline import until
from tests.integration.rotating import Clients, Receiver, made_signing
from tests.integration.vault import Vault
from tests.programs import bare_environment, run_text

LOOK_S = 0.2


class Rotations:
    """Each step as docs/ROTATION.md has it."""

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

    async def database(self, role: str, *options: str, runs: bool = True) -> None:
        """Both steps; the old login is gone, and nobody of it is left. `runs`: somebody always has a session."""
        pool = self.system.database.pool
        done = await asyncio.to_thread(self.mutt, Service.ROTATE, "secrets", "rotate-db", role, *options)
        sessions = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = $1"
        if runs:
            await until(lambda: pool.fetchval(sessions, done["current"]), f"{done['current']} is in use")
        held = self.vault.held(f"database/{role}")
        self.used.append(held["DB_PASS_CURRENT"])
        await asyncio.to_thread(self.mutt, Service.ROTATE, "secrets", "rotate-db", role, "--retire")
        assert set(self.vault.held(f"database/{role}")) == {"DB_USER_CURRENT", "DB_PASS_CURRENT"}
        if done["leaving"] != "mutt":
            assert not await pool.fetchval(sessions, done["leaving"])
            with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
                await connect_as(self.system.settings, done["leaving"], Secret(held["DB_PASS_NEXT"]))

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
        async with self.clients.session() as session:

            async def status() -> bool:
                url = self.clients.url("/api/v1/slo")
                async with session.get(url, headers={"X-API-KEY": key}) as answer:
                    return answer.status == 200

            await until(status, "the key opens")

    def shut_out(self, key: str) -> None:
        """The old one opens no more."""

        def refused() -> bool:
            request = urllib.request.Request(self.clients.url("/api/v1/slo"), headers={"X-API-KEY": key})
            try:
                with urllib.request.urlopen(request, timeout=20, context=self.clients.tls):
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


def appear_nowhere(logs: Path, used: list[str], *, at_least: set[str]) -> None:
    """I9: in no log, in no form."""
    held = {path.name: path.read_bytes() for path in logs.glob("*.log")}
    assert at_least <= set(held)
    seen = [
        (name, form, hashlib.sha256(secret.encode()).hexdigest()[:8])
        for name, text in held.items()
        for secret in used
        for form, needle in forms(secret)
        if needle in text
    ]
    assert seen == []
