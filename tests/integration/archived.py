"""A PostgreSQL of its own that archives its log, and can be taken back to an instant, as docs/OPERATIONS.md says."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from ops.devstack.layout import NOBODY, Layout
from ops.devstack.postgres import Postgres
from ops.devstack.provision import create_database
from ops.devstack.stack import Stack
from schemas.secret_names import DB_PASSWORD
from streams.adapters.database import create_pool
from streams.adapters.migrations import migrate
from streams.adapters.secrets import FileSecrets
from tests.integration.conftest import Database
from tests.integration.pipeline import until


class ArchivingPostgres:
    """The server, its archive, and a base backup, beside its data folder: its own user may be another than ours."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.layout = Layout(folder / "archiving")
        self.layout.create()
        self.server = Postgres(self.layout, stack.layout.secret(DB_PASSWORD), fsync=False)
        self.settings = replace(stack.settings, database_url=self.server.url)
        self.secrets = FileSecrets(self.settings.secrets_dir)

    async def begin(self) -> Database:
        """Starts it with a migrated database, archiving."""
        self.server.start()
        await create_database(self.settings, "mutt")
        database = await self.connected()
        self.data = Path(await database.pool.fetchval("SHOW data_directory"))
        self.archive, self.base = self.data.parent / "archive", self.data.parent / "base"
        self._make(self.archive)
        async with database.pool.acquire() as connection:
            await migrate(connection)
            await connection.execute("ALTER SYSTEM SET archive_mode = on")
            command = f'test ! -f "{self.archive}/%f" && cp "%p" "{self.archive}/%f"'
            await connection.execute(f"ALTER SYSTEM SET archive_command = '{command}'")
        database.pool.terminate()
        await self._again()
        return await self.connected()

    async def connected(self) -> Database:
        return Database(self.settings, self.secrets, await create_pool(self.settings, self.secrets, size=10))

    async def back_up(self, dsn: str) -> None:
        command = [self.server.program("pg_basebackup"), "-d", dsn, "-D", self.base, "-c", "fast"]
        done = await asyncio.to_thread(
            subprocess.run, command, env=os.environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        self._own(self.base)

    async def archived(self, database: Database) -> None:
        """Waits until all that is committed now is in the archive."""
        pool = database.pool
        segment = await pool.fetchval("SELECT pg_walfile_name(pg_switch_wal())")

        async def there() -> bool:
            last = await pool.fetchval("SELECT last_archived_wal FROM pg_stat_archiver")
            return last is not None and last >= segment

        await until(there, f"{segment} is archived")

    async def go_back(self, instant: str) -> Database:
        """The base backup and the archive, up to the last commit before the instant."""
        self.server.stop()
        self.data.rename(self.data.with_name("data.before"))
        self.base.rename(self.data)
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(f'restore_command = \'cp "{self.archive}/%f" "%p"\'\n')
            file.write(f"recovery_target_time = '{instant}'\nrecovery_target_action = 'promote'\n")
        (self.data / "recovery.signal").touch()
        self._own(self.data)
        self.server.start()
        database = await self.connected()

        async def writable() -> bool:
            return not await database.pool.fetchval("SELECT pg_is_in_recovery()")

        await until(writable, "recovery has ended")
        return database

    def end(self) -> None:
        self.server.kill()
        self.layout.purge()

    async def _again(self) -> None:
        await asyncio.to_thread(self.server.stop)
        await asyncio.to_thread(self.server.start)

    def _make(self, folder: Path) -> None:
        folder.mkdir()
        self._own(folder)

    def _own(self, folder: Path) -> None:
        """Gives a folder to the server's user."""
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, NOBODY, NOBODY)


@contextmanager
def archiving(stack: Stack, folder: Path) -> Iterator[ArchivingPostgres]:
    server = ArchivingPostgres(stack, folder)
    try:
        yield server
    finally:
        server.end()
