"""Bugs in what operators see and change: configuration, its audit, and errors that tell too much."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import asyncpg

from schemas.errors import StoreUnavailable
from schemas.secret_names import DB_PASSWORD
from schemas.settings import Settings
from streams import match_role
from streams.adapters import secret_keeper
from streams.adapters.config_store import Change, ConfigStore
from streams.adapters.database import connect
from streams.adapters.secrets import SecretSource
from streams.core.authors import Author
from tests.planted.patches import Collection, Patches

BUGS = Collection()


@BUGS.bug(24, "the audit row of a changed key is written in a second transaction", "config", scenario="key_changed")
def audit_in_a_second_transaction(patches: Patches) -> None:
    change = ConfigStore.change

    async def change_then_audit(
        self: ConfigStore, changes: Mapping[str, str | None], author: Author, **more: Any
    ) -> dict[str, Change]:
        pool = self._transactions._pool
        async with pool.acquire() as connection:
            await connection.execute("ALTER TABLE dynamic_config DISABLE TRIGGER audit_change")
        changed = await change(self, changes, author, **more)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("ALTER TABLE dynamic_config ENABLE TRIGGER audit_change")
            for key, (before, after) in changed.items():
                kind = "CREATE" if before is None else "DELETE" if after is None else "UPDATE"
                old = before and json.dumps({"key": key, "value": before})
                new = after and json.dumps({"key": key, "value": after})
                await connection.execute(_AUDIT, author.actor, kind, key, old, new)
        return changed

    patches.replace(ConfigStore, "change", change_then_audit)


_AUDIT = """
INSERT INTO config_audit (changed_by, operation, table_name, object, old_values, new_values)
VALUES ($1, $2, 'dynamic_config', $3, $4, $5)
"""


@BUGS.bug(25, "the error of a connection that fails tells the address with its password", "secret",
          scenario="database_closed")  # fmt: skip
def dsn_in_an_error(patches: Patches) -> None:
    """The filter of the log would hide the one bug, so it is broken too: each line of defence must be seen to fail."""

    async def connect_or_tell(settings: Settings, secrets: SecretSource) -> asyncpg.Connection:
        password = secrets.get(DB_PASSWORD)
        url = settings.database_url.replace("://mutt@", f"://mutt:{password.reveal() if password else ''}@")
        try:
            return await connect(settings, secrets)
        except (OSError, asyncpg.PostgresError) as error:
            raise StoreUnavailable(f"no connection to {url}: {error}") from error

    patches.replace(match_role, "connect", connect_or_tell)
    patches.replace(secret_keeper, "hide", lambda _: None)
