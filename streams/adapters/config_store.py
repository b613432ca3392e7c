"""Changes of the dynamic configuration in PostgreSQL, checked and audited (I8)."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

from schemas.config import checked_change
from streams.adapters.faults import store_faults

_SET = """
INSERT INTO dynamic_config (key, value) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()
"""


class ConfigStore:
    """Reads and changes stored keys. Raises StoreUnavailable."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self) -> dict[str, str]:
        """The stored texts; keys that are not there have their default."""
        with store_faults():
            rows = await self._pool.fetch("SELECT key, value FROM dynamic_config ORDER BY key")
        return {row["key"]: row["value"] for row in rows}

    async def change(
        self, changes: Mapping[str, str | None], *, actor: str, reason: str | None = None
    ) -> dict[str, tuple[str | None, str | None]]:
        """Applies all changes or none; returns those that changed something, as (before, after).

        None takes a key back to its default. Raises ConfigRefused with every problem at once.
        """
        with store_faults():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("LOCK TABLE dynamic_config IN SHARE ROW EXCLUSIVE MODE")
                rows = await connection.fetch("SELECT key, value FROM dynamic_config")
                stored = {row["key"]: row["value"] for row in rows}
                texts = checked_change(stored, changes)
                changed = {name: text for name, text in texts.items() if stored.get(name) != text}
                await connection.execute(
                    "SELECT set_config('mutt.actor', $1, true), set_config('mutt.reason', $2, true)",
                    actor,
                    reason or "",
                )
                gone = [name for name, text in changed.items() if text is None]
                await connection.execute("DELETE FROM dynamic_config WHERE key = ANY($1)", gone)
                await connection.executemany(_SET, [pair for pair in changed.items() if pair[1] is not None])
        return {name: (stored.get(name), text) for name, text in changed.items()}
