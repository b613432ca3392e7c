"""Maintenance windows in PostgreSQL; the database audits every change of them (I8)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from schemas.errors import Outdated
from schemas.slo import Component
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.maintenance import Ending, checked, ending
from streams.core.slo_reads import Draft
from streams.core.slo_windows import Maintenance

MOST = 1000
"""Windows looked at: far more than people declare."""

_COLUMNS = "id, component, starts_at, ends_at, reason, declared_by, declared_at, version"
_SINCE = f"SELECT {_COLUMNS} FROM maintenance_windows WHERE ends_at > $1 ORDER BY starts_at DESC, id DESC LIMIT {MOST}"  # noqa: S608 - constants
_DECLARE = f"""
INSERT INTO maintenance_windows (component, starts_at, ends_at, reason, declared_by) VALUES ($1, $2, $3, $4, $5)
RETURNING {_COLUMNS}"""  # noqa: S608 - constants
_FIND = f"SELECT {_COLUMNS} FROM maintenance_windows WHERE id = $1"  # noqa: S608 - constants
_LOCK = f"{_FIND} FOR UPDATE"
_CUT = f"UPDATE maintenance_windows SET ends_at = $2 WHERE id = $1 RETURNING {_COLUMNS}"  # noqa: S608 - constants
_TAKE_BACK = f"DELETE FROM maintenance_windows WHERE id = $1 RETURNING {_COLUMNS}"  # noqa: S608 - constants


async def maintenance_since(connection: Any, since: dt.datetime) -> tuple[Maintenance, ...]:
    """Windows that end after `since`, those that start last first."""
    return tuple(_window(row) for row in await connection.fetch(_SINCE, since))


class PostgresMaintenance:
    """Implements MaintenanceStore."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def since(self, since: dt.datetime) -> tuple[Maintenance, ...]:
        async with self._transactions.reading() as connection:
            return await maintenance_since(connection, since)

    async def find(self, id: int) -> Maintenance | None:
        async with self._transactions.reading() as connection:
            row = await connection.fetchrow(_FIND, id)
        return _window(row) if row is not None else None

    async def declare(self, draft: Draft, author: Author) -> Maintenance:
        checked(draft)
        values = draft.component, draft.starts_at, draft.ends_at, draft.reason, author.actor
        async with self._transactions.writing(author) as connection:
            return _window(await connection.fetchrow(_DECLARE, *values))

    async def end(self, id: int, now: dt.datetime, author: Author, *, version: int | None = None) -> Maintenance | None:
        async with self._transactions.writing(author) as connection:
            row = await connection.fetchrow(_LOCK, id)
            if row is None:
                return None
            found = _window(row)
            if version is not None and version != found.version:
                raise Outdated(f"maintenance {id} was changed meanwhile: it has version {found.version}")
            if ending(found, now) is Ending.CUT:
                return _window(await connection.fetchrow(_CUT, id, now))
            return _window(await connection.fetchrow(_TAKE_BACK, id))


def _window(row: Any) -> Maintenance:
    component = Component(row["component"]) if row["component"] is not None else None
    return Maintenance(**{**row, "component": component})
