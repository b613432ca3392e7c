"""The dynamic configuration in PostgreSQL: what stands there, and changes of it, checked and audited (I8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.config_values import checked_change
from schemas.errors import Outdated
from streams import crash
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.config_keys import StoredKey

_SET = """
INSERT INTO dynamic_config (key, value) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()
"""
_READ = "SELECT key, value, version, updated_at FROM dynamic_config ORDER BY key"

Change = tuple[str | None, str | None]
"""Stored texts before and after; None is the default."""


class ConfigStore:
    """Reads and changes stored keys. Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def read(self) -> dict[str, str]:
        """The stored texts; keys that are not there have their default."""
        return {name: stored.text for name, stored in (await self.stored()).items()}

    async def stored(self) -> dict[str, StoredKey]:
        """What stands there of each key that does not have its default."""
        async with self._transactions.reading() as connection:
            return await _stored(connection)

    async def change(
        self, changes: Mapping[str, str | None], author: Author, *, expected: Mapping[str, int] | None = None
    ) -> dict[str, Change]:
        """Applies all changes or none; returns those that changed something.

        None takes a key back to its default. `expected` has versions that keys must still have (0: the default), else
        Outdated. Raises ConfigRefused with every problem at once.
        """
        async with self._transactions.writing(author) as connection:
            await connection.execute("LOCK TABLE dynamic_config IN SHARE ROW EXCLUSIVE MODE")
            stored = await _stored(connection)
            _check_versions(stored, expected or {})
            before = {name: key.text for name, key in stored.items()}
            texts = checked_change(before, changes)
            changed = {name: text for name, text in texts.items() if before.get(name) != text}
            gone = [name for name, text in changed.items() if text is None]
            await connection.execute("DELETE FROM dynamic_config WHERE key = ANY($1)", gone)
            await connection.executemany(_SET, [pair for pair in changed.items() if pair[1] is not None])
            crash.here("change_written")
        crash.here("change_committed")
        return {name: (before.get(name), text) for name, text in changed.items()}


async def _stored(connection: Any) -> dict[str, StoredKey]:
    rows = await connection.fetch(_READ)
    return {row["key"]: StoredKey(row["value"], row["version"], row["updated_at"]) for row in rows}


def _check_versions(stored: Mapping[str, StoredKey], expected: Mapping[str, int]) -> None:
    versions = {name: stored[name].version if name in stored else 0 for name in expected}
    if problems := [
        f"{name} is at version {versions[name]} now, not {version}"
        for name, version in expected.items()
        if versions[name] != version
    ]:
        raise Outdated(problems)
