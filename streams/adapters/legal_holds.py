"""Legal holds in PostgreSQL: set, listed, lifted; the database audits every change of them (I8)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from schemas.errors import NotFound, Refused
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.retention import Hold, Kind, hold_problems, reason_problems

_COLUMNS = "id, kind, hostname, since, until, reason, set_by, set_at, lifted_at, lifted_by, lift_reason"
_SET = f"""
INSERT INTO legal_holds (kind, hostname, since, until, reason, set_by) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING {_COLUMNS}"""  # noqa: S608 - constants
_LIFT = f"""
UPDATE legal_holds SET lifted_at = now(), lifted_by = $2, lift_reason = $3 WHERE id = $1 AND lifted_at IS NULL
RETURNING {_COLUMNS}"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new hold keeps: None means all tables, hosts, or times on that side."""

    kind: Kind | None = None
    hostname: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


async def active_holds(connection: Any) -> list[Hold]:
    """Holds that were not lifted, oldest first."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM legal_holds WHERE lifted_at IS NULL ORDER BY id")  # noqa: S608 - constants
    return [_hold(row) for row in rows]


class LegalHolds:
    """Raises StoreUnavailable; TooSlow also while a run deletes rows: then try again."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def set(self, wanted: Wanted, author: Author) -> Hold:
        """Raises Refused with every fault at once."""
        reason = author.reason or ""
        if problems := list(hold_problems(reason, wanted.since, wanted.until, wanted.hostname)):
            raise Refused(problems)
        values = wanted.kind, wanted.hostname, wanted.since, wanted.until, reason, author.actor
        async with self._transactions.writing(author) as connection:
            return _hold(await connection.fetchrow(_SET, *values))

    async def lift(self, number: int, author: Author) -> Hold:
        """Raises NotFound where there is no such hold, or it was lifted; Refused without a reason."""
        reason = author.reason or ""
        if problems := list(reason_problems(reason)):
            raise Refused(problems)
        async with self._transactions.writing(author) as connection:
            row = await connection.fetchrow(_LIFT, number, author.actor, reason)
        if row is None:
            raise NotFound(f"there is no legal hold {number} in force")
        return _hold(row)

    async def list(self, *, lifted: bool) -> list[Hold]:
        """Holds in force; with `lifted` those that were too."""
        async with self._transactions.reading() as connection:
            if not lifted:
                return await active_holds(connection)
            return [_hold(row) for row in await connection.fetch(f"SELECT {_COLUMNS} FROM legal_holds ORDER BY id")]  # noqa: S608 - constants


def _hold(row: Any) -> Hold:
    return Hold(**{**row, "kind": Kind(row["kind"]) if row["kind"] else None})
