"""A process that changes configuration dies at any moment: every change has its row in the audit, and none more (I8)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

from tests.integration.config_writer import KEY
from tests.integration.conftest import Database
from tests.programs import bare_environment

KILLS = 3
CHANGES = 20
"""At least so many before each kill."""


async def rows(database: Database) -> list[tuple[str | None, str]]:
    """The audited changes of the key as (before, after), oldest first."""
    found = await database.pool.fetch(
        "SELECT old_values, new_values FROM config_audit WHERE object = $1 ORDER BY id", KEY
    )
    return [(json.loads(row[0])["value"] if row[0] else None, json.loads(row[1])["value"]) for row in found]


async def stored(database: Database) -> str | None:
    value: str | None = await database.pool.fetchval("SELECT value FROM dynamic_config WHERE key = $1", KEY)
    return value


async def gone(database: Database) -> None:
    """Until the server has noticed that the writer is away, and has ended what it was in."""
    own = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with asyncio.timeout(30):
        while await database.pool.fetchval(own + " AND query NOT LIKE 'SELECT count%' AND state <> 'idle'"):
            await asyncio.sleep(0.02)


async def test_I8_kill_9_leaves_no_change_without_its_row(database: Database) -> None:
    environment = bare_environment(**database.settings.to_env())
    for _ in range(KILLS):
        before = len(await rows(database))
        writer = subprocess.Popen([sys.executable, "-m", "tests.integration.config_writer"], env=environment)
        try:
            async with asyncio.timeout(60):
                while len(await rows(database)) < before + CHANGES:
                    assert writer.poll() is None
                    await asyncio.sleep(0.005)
        finally:
            writer.kill()
            writer.wait()
        await gone(database)
        chain = await rows(database)
        assert chain[-1][1] == await stored(database)
        assert [old for old, _ in chain[1:]] == [new for _, new in chain[:-1]]
        assert chain[0][0] is None
