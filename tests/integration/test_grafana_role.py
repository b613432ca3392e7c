"""ops/compose/grafana-role on a real PostgreSQL: Grafana gets a login that reads its tables, and no others."""

from __future__ import annotations

import asyncio
import os
import subprocess
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from ops.devstack.stack import Stack
from schemas.secret_names import DB_PASSWORD
from tests.integration.conftest import Database
from tests.run import ROOT


async def test_grafana_gets_a_login_that_reads_its_tables_alone(
    postgres: Stack, database: Database, tmp_path: Path
) -> None:
    where = urlsplit(database.settings.database_url)
    own = database.secrets.get(DB_PASSWORD)
    assert own is not None
    (tmp_path / "DB_PASS_CURRENT").write_text(own.reveal() + "\n")
    variables = {"PGHOST": "127.0.0.1", "PGPORT": str(where.port), "PGUSER": "mutt", "PGDATABASE": where.path[1:]}
    path = f"{postgres.postgres._binaries()}{os.pathsep}"
    environment = os.environ | variables | {"SECRETS": str(tmp_path), "PATH": path + os.environ["PATH"]}
    command = [ROOT / "ops" / "compose" / "grafana-role", ROOT / "ops" / "grafana" / "readonly.sql"]
    for password in ("first/pass+word=", "second"):  # safe to repeat; a new password takes effect
        (tmp_path / "mutt_grafana_password").write_text(password + "\n")
        run = partial(subprocess.run, command, env=environment, check=True, capture_output=True, timeout=60)
        await asyncio.to_thread(run)
    login = {"host": "127.0.0.1", "port": where.port, "database": where.path[1:], "user": "mutt_grafana"}
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(**login, password="first/pass+word=")
    connection = await asyncpg.connect(**login, password="second")
    try:
        assert await connection.fetchval("SELECT count(*) FROM ledger") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("SELECT count(*) FROM audit")
    finally:
        await connection.close()
