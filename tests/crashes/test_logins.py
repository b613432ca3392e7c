"""The rotation of a database login dies between its steps: both logins work, and the same command ends it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from schemas.secret_names import DB_PASSWORD, Service
from streams.adapters.database import connect
from streams.adapters.secret_sources import read_secrets
from tests.crashes.lives import die_at
from tests.crashes.points import POINTS
from tests.integration.conftest import System
from tests.integration.vault import Vault
from tests.programs import bare_environment, run_text

ROTATE = ("secrets", "rotate-db", "worker", "--member-of", "mutt")


@pytest.mark.parametrize("name", ["next_login_stored", "next_login_made", "logins_switched"])
async def test_52_53_54_a_login_opens_wherever_its_rotation_dies(system: System, vault: Vault, name: str) -> None:
    password = system.database.secrets.get(DB_PASSWORD)
    assert password is not None
    for role in ("worker", "admin"):
        vault.put(f"database/{role}", DB_USER_CURRENT="mutt", DB_PASS_CURRENT=password.reveal())
    rotor = vault.server.settings(Service.ROTATE) | {"vault_refresh": 0.2}
    await die_at(system, POINTS[name], arguments=ROTATE, **rotor)
    before = "mutt" if name != "logins_switched" else vault.held("database/worker")["DB_USER_CURRENT"]
    assert await logs_in_as(system, vault) == before
    again = await asyncio.to_thread(mutt, system, vault, *ROTATE)
    if name == "logins_switched":
        assert again.returncode == 2
        assert "finish with: mutt secrets rotate-db worker --retire" in again.stderr
    else:
        assert json.loads(again.stdout)["current"] == await logs_in_as(system, vault)
    ended = await asyncio.to_thread(mutt, system, vault, "secrets", "rotate-db", "worker", "--retire")
    assert json.loads(ended.stdout)["retired"] == "mutt"
    assert await logs_in_as(system, vault) in ("mutt_worker_a", "mutt_worker_b")


async def logs_in_as(system: System, vault: Vault) -> str:
    """Whom a worker that starts now is let in as."""
    settings = vault.settings(Service.MATCH, system.settings)
    connection = await connect(settings, await asyncio.to_thread(read_secrets, settings, Service.MATCH))
    try:
        return str(await connection.fetchval("SELECT current_user"))
    finally:
        await connection.close()


def mutt(system: System, vault: Vault, *arguments: str) -> Any:
    settings = vault.settings(Service.ROTATE, system.settings)
    return run_text("mutt", *arguments, "--json", environment=bare_environment(**settings.to_env()), within=120)
