"""A process that changes configuration dies at any moment: each change has its row in the audit, and none more (I8)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.integration.config_writer import KEY
from tests.integration.conftest import Database
from tests.integration.pipeline import until
from tests.programs import bare_environment

KILLS = 2
CHANGES = 20
"""At least so many before each kill."""


async def rows(database: Database) -> list[tuple[str | None, str]]:
    """The audited changes of the key as (before, after), oldest first."""
    found = await database.pool.fetch(
        "SELECT old_values, new_values FROM config_audit WHERE object = $1 ORDER BY id", KEY
    )
    return [(json.loads(row[0])["value"] if row[0] else None, json.loads(row[1])["value"]) for row in found]


async def has_changed(database: Database, times: int) -> bool:
    return len(await rows(database)) >= times


async def stored(database: Database) -> str | None:
    value: str | None = await database.pool.fetchval("SELECT value FROM dynamic_config WHERE key = $1", KEY)
    return value


async def writes_nothing(database: Database) -> bool:
    """The server has noticed that the writer is away, and has ended what it was in."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE $1 AND state <> 'idle' AND pid <> pg_backend_pid()"
    return not await database.pool.fetchval(others, "%dynamic_config%")


@contextmanager
def writer(database: Database) -> Iterator[subprocess.Popen[bytes]]:
    """A process that changes the key, ended with -9."""
    environment = bare_environment(**database.settings.to_env())
    child = subprocess.Popen([sys.executable, "-m", "tests.integration.config_writer"], env=environment)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.mark.proves("configuration.kill")
async def test_I8_kill_9_leaves_no_change_without_its_row(database: Database) -> None:
    for _ in range(KILLS):
        before = len(await rows(database))
        with writer(database):
            await until(partial(has_changed, database, before + CHANGES), "changes of the writer")
        await until(partial(writes_nothing, database), "the end of the writer")
        chain = await rows(database)
        assert chain[-1][1] == await stored(database)
        assert [old for old, _ in chain[1:]] == [new for _, new in chain[:-1]]
        assert chain[0][0] is None
