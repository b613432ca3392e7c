"""The generated pages: the list of them, and what each is made of."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ops.devstack.postgres import DATABASE
from ops.devstack.provision import create_database
from ops.devstack.stack import Stack
from ops.documents import cheatsheet, cli, config, metrics, records, sql, topics
from streams.adapters.database import connect
from streams.adapters.migrations import migrate
from streams.adapters.secrets import FileSecrets

Make = Callable[[], str]


def from_a_database() -> str:
    """docs/SQL.md, from a PostgreSQL that is started and migrated for it; some seconds."""

    async def read() -> list[sql.Table]:
        await create_database(stack.settings, DATABASE)
        connection = await connect(stack.settings, FileSecrets(stack.settings.secrets_dir))
        try:
            await migrate(connection)
            return await sql.tables(connection)
        finally:
            await connection.close()

    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), fsync=False)
        stack.start_postgres()
        try:
            return sql.document(asyncio.run(read()))
        finally:
            stack.postgres.stop()
            stack.layout.purge()


SQL = "SQL.md"
PAGES: Mapping[str, Make] = {
    "CLI.md": cli.document,
    "CONFIG.md": config.document,
    "METRICS.md": metrics.document,
    "TOPICS.md": topics.document,
    "CHEATSHEET.md": cheatsheet.document,
    "adr/README.md": records.document,
    SQL: from_a_database,
}
"""By the file below docs/."""
