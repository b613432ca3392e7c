"""The audit of configuration in PostgreSQL, read: filters, pages, and all of it in bounded pieces."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from streams.adapters.selects import Select, containing
from streams.adapters.transactions import Transactions
from streams.core.config_audit import ConfigAuditQuery, ConfigChange
from streams.core.paging import NumberedPage, Page, Place, Sort

NEWEST_FIRST = Sort("id", descending=True)

_COLUMNS = """
    id, changed_at, changed_by, client_id, operation, table_name, object, record_id, old_values, new_values, reason,
    correlation_id, request_id"""
_TEXTS = "concat_ws(E'\\n', object, reason, old_values::text, new_values::text) ILIKE {}"


class ConfigAudit:
    """Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def page(
        self, query: ConfigAuditQuery, *, after: Place | None, limit: int, sort: Sort = NEWEST_FIRST
    ) -> Page[ConfigChange]:
        async with self._transactions.reading() as connection:
            rows, place = await _select(query).page(connection, sort, "id", after=after, limit=limit)
        return Page(tuple(map(_change, rows)), place)

    async def numbered(self, query: ConfigAuditQuery, *, page: int, limit: int) -> NumberedPage[ConfigChange]:
        """A page of v1, newest first; rows and total are of one snapshot."""
        select = _select(query)
        async with self._transactions.reading() as connection:
            total, estimated = await select.total(connection)
            rows = await select.numbered(connection, "id DESC", limit=limit, offset=(page - 1) * limit)
        return NumberedPage(tuple(map(_change, rows)), total, estimated)

    async def get(self, entry_id: int) -> ConfigChange | None:
        async with self._transactions.reading() as connection:
            text = f"SELECT {_COLUMNS} FROM config_audit WHERE id = $1"  # noqa: S608 - constants
            row = await connection.fetchrow(text, entry_id)
        return _change(row) if row is not None else None

    async def every(self, query: ConfigAuditQuery, *, piece: int) -> AsyncIterator[tuple[ConfigChange, ...]]:
        """All of them, newest first, in pieces; no connection is held while the caller works on one."""
        after: Place | None = None
        while True:
            page = await self.page(query, after=after, limit=piece)
            yield page.items
            if (after := page.next) is None:
                return


def _select(query: ConfigAuditQuery) -> Select:
    select = Select(_COLUMNS, "config_audit")
    select.where("changed_by ILIKE {}", containing(query.actor) if query.actor is not None else None)
    select.where("client_id = {}", query.client_id)
    select.where("operation = ANY({})", query.operations)
    select.where("table_name = ANY({})", query.tables)
    select.where("object = {}", query.object)
    select.where("record_id = {}", query.record_id)
    select.where("changed_at >= {}", query.start)
    select.where("changed_at <= {}", query.end)
    select.where("changed_at < {}", query.until)
    select.where(_TEXTS, containing(query.text) if query.text is not None else None)
    return select


def _change(row: Any) -> ConfigChange:
    return ConfigChange(
        id=row["id"],
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
        client_id=row["client_id"],
        operation=row["operation"],
        table=row["table_name"],
        object=row["object"],
        record_id=row["record_id"],
        before=_values(row["old_values"]),
        after=_values(row["new_values"]),
        reason=row["reason"],
        correlation_id=row["correlation_id"],
        request_id=row["request_id"],
    )


def _values(text: str | None) -> dict[str, Any] | None:
    return json.loads(text) if text is not None else None
