"""`python -m tests.bench.plans`: writes docs/API-PLANS.md: how PostgreSQL answers each documented question."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from api.audited_events import KEY, AuditedEvent
from ops.devstack.stack import Stack
from schemas.alerts import AlertState
from schemas.events import Disposition
from streams.adapters.searches import PostgresSearches
from streams.core.searches import AuditSearch, DeliverySearch, Stretch
from tests.bench.audit_rows import fill
from tests.integration.conftest import new_database

DOCUMENT = Path(__file__).parents[2] / "docs" / "API-PLANS.md"
COLUMNS = tuple(name for name in AuditedEvent.__struct_fields__ if name not in KEY)
HEAD = """# How PostgreSQL answers the API

Plans of pages of 200 rows out of {rows:,} audited events of 30 days, as `python -m tests.bench.plans --rows {rows}`
found them; [ADR 0015](adr/0015-pages-in-the-order-of-an-index.md) says why they look so. Each walks an index from the
place where the page begins and stops when it is full, so page 1,000 costs what page 1 costs. Where a filter has no
index of its own, a first statement asks the index how far 4,000 rows reach, and the page looks no further.
"""

Ask = Callable[[PostgresSearches], Coroutine[Any, Any, Any]]


class Explaining:
    """Stands before a connection: explains every SELECT before it runs it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.plans: list[str] = []

    async def execute(self, statement: str) -> Any:
        return await self._connection.execute(statement)

    async def fetch(self, statement: str, *values: Any) -> Any:
        await self._explain(statement, values)
        return await self._connection.fetch(statement, *values)

    async def fetchval(self, statement: str, *values: Any) -> Any:
        await self._explain(statement, values)
        return await self._connection.fetchval(statement, *values)

    async def _explain(self, statement: str, values: tuple[Any, ...]) -> None:
        explained = f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY ON, BUFFERS OFF) {statement}"
        rows = await self._connection.fetch(explained, *values)
        self.plans.append("\n".join(row[0] for row in rows))


class ExplainingTransactions:
    """Gives the connection that explains, as `Transactions.reading` gives one."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.plans: list[str] = []

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            explaining = Explaining(connection)
            yield explaining
            self.plans += explaining.plans


def audit(**filters: Any) -> Ask:
    """The second page: behind a place."""

    async def ask(searches: PostgresSearches) -> None:
        after = (await searches.audit(AuditSearch(stretch=Stretch(limit=200), columns=COLUMNS, **filters))).next
        searches._transactions.plans.clear()  # type: ignore[attr-defined]
        await searches.audit(AuditSearch(stretch=Stretch(limit=200, after=after), columns=COLUMNS, **filters))

    return ask


def deliveries(**filters: Any) -> Ask:
    async def ask(searches: PostgresSearches) -> None:
        await searches.deliveries(DeliverySearch(stretch=Stretch(limit=200), **filters))

    return ask


async def stretch(searches: PostgresSearches) -> None:
    now = dt.datetime.now(dt.UTC)
    day = Stretch(limit=200, since=now - dt.timedelta(days=11), until=now - dt.timedelta(days=10))
    await searches.audit(AuditSearch(stretch=day, columns=COLUMNS, rule_id=1))


QUESTIONS: dict[str, Ask] = {
    "/api/v2/audit-logs": audit(),
    "/api/v2/audit-logs?hostname=host-0": audit(hostname="host-0"),
    "/api/v2/audit-logs?rule_id=1": audit(rule_id=1),
    "/api/v2/audit-logs?rule_id=1&since=…&until=…": stretch,
    "/api/v2/audit-logs?disposition=alerted": audit(disposition=Disposition.ALERTED),
    "/api/v2/audit-logs?hostname=host-0&disposition=shed": audit(hostname="host-0", disposition=Disposition.SHED),
    "/api/v2/audit-logs?q=sequence 4999": audit(text="sequence 4999"),
    "/api/v2/deliveries": deliveries(),
    "/api/v2/deliveries?state=dead": deliveries(state=AlertState.DEAD),
}


async def document(stack: Stack, rows: int) -> str:
    database = await new_database(stack)
    connection = await asyncpg.connect(database.dsn)
    await fill(connection, rows)
    await connection.close()
    parts = [HEAD.format(rows=rows)]
    for question, ask in QUESTIONS.items():
        transactions = ExplainingTransactions(database.pool)
        await ask(PostgresSearches(transactions))  # type: ignore[arg-type]
        plans = "\n\n".join(_short(plan) for plan in transactions.plans)
        parts.append(f"## `GET {question}`\n\n```\n{plans}\n```\n")
    database.pool.terminate()
    return "\n".join(parts)


def _short(plan: str) -> str:
    """Without branches that were never run, and what is the same in every line."""
    lines = [line for line in plan.splitlines() if "(never executed)" not in line and "Index Searches" not in line]
    return "\n".join(line.replace("::timestamp with time zone", "").replace("::text", "")[:150] for line in lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plans", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mutt-plans-") as folder:
        stack = Stack(Path(folder), fsync=False)
        try:
            stack.start_postgres()
            DOCUMENT.write_text(asyncio.run(document(stack, options.rows)))
        finally:
            stack.stop_all()
            stack.layout.purge()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
