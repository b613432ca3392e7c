"""Development hosts and teams of hosts in PostgreSQL: lists by name, each change audited in its transaction (I8)."""

from __future__ import annotations

from typing import Any

from schemas.errors import AlreadyThere, NotFound, Outdated
from streams.adapters.selects import Select, containing
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.host_lists import HostQuery, ListedHost
from streams.core.paging import Page, Place

NO_HOST = "Hostname not found"


class HostList:
    """One table of hosts. Raises StoreUnavailable.

    `expected` is the version that the author looked at: another one is Outdated; None means whatever stands there.
    """

    def __init__(self, transactions: Transactions, table: str, *, taken: str, columns: tuple[str, ...] = ()) -> None:
        """`columns` are those beside the name; `taken` is what is said of a name that is there."""
        self._transactions = transactions
        self._table = table
        self._columns = columns
        self._taken = taken
        self._shown = ", ".join(("hostname", *columns, "version", "updated_at"))

    async def page(self, query: HostQuery, *, after: Place | None, limit: int) -> Page[ListedHost]:
        select = Select(self._shown, self._table)
        select.where("hostname ILIKE {}", containing(query.text) if query.text is not None else None)
        if self._columns:
            select.where("team_assignment = {}", query.team_assignment)
        async with self._transactions.reading() as connection:
            rows, place = await select.page(connection, query.sort, "hostname", after=after, limit=limit)
        return Page(tuple(map(_listed, rows)), place)

    async def every(self) -> list[ListedHost]:
        async with self._transactions.reading() as connection:
            return [
                _listed(row)
                for row in await connection.fetch(f"SELECT {self._shown} FROM {self._table} ORDER BY hostname")  # noqa: S608 - constants
            ]

    async def get(self, hostname: str) -> ListedHost:
        """Raises NotFound."""
        text = f"SELECT {self._shown} FROM {self._table} WHERE hostname = $1"  # noqa: S608 - constants
        async with self._transactions.reading() as connection:
            return _listed(_found(await connection.fetchrow(text, hostname)))

    async def add(self, author: Author, hostname: str, *values: str) -> ListedHost:
        """With a value for each column. Raises AlreadyThere."""
        marks = ", ".join(f"${number}" for number in range(1, 2 + len(values)))
        text = f"""
            INSERT INTO {self._table} ({", ".join(("hostname", *self._columns))}) VALUES ({marks})
            ON CONFLICT (hostname) DO NOTHING RETURNING {self._shown}"""  # noqa: S608 - constants
        async with self._transactions.writing(author) as connection:
            row = await connection.fetchrow(text, hostname, *values)
            if row is None:
                raise AlreadyThere(self._taken)
        return _listed(row)

    async def change(self, author: Author, hostname: str, *values: str, expected: int | None) -> ListedHost:
        """Gives a host these values. Raises NotFound or Outdated."""
        changes = ", ".join(f"{column} = ${number}" for number, column in enumerate(self._columns, 2))
        text = f"UPDATE {self._table} SET {changes} WHERE hostname = $1 RETURNING {self._shown}"  # noqa: S608 - constants
        async with self._transactions.writing(author) as connection:
            await self._hold(connection, hostname, expected)
            return _listed(await connection.fetchrow(text, hostname, *values))

    async def remove(self, author: Author, hostname: str, *, expected: int | None) -> None:
        """Raises NotFound or Outdated."""
        async with self._transactions.writing(author) as connection:
            await self._hold(connection, hostname, expected)
            await connection.execute(f"DELETE FROM {self._table} WHERE hostname = $1", hostname)  # noqa: S608 - constants

    async def _hold(self, connection: Any, hostname: str, expected: int | None) -> None:
        """Locks the host until the transaction ends."""
        text = f"SELECT version FROM {self._table} WHERE hostname = $1 FOR UPDATE"  # noqa: S608 - constants
        version = _found(await connection.fetchrow(text, hostname))["version"]
        if expected is not None and version != expected:
            raise Outdated(f"{hostname!r} is at version {version} now, not {expected}")


def development_hosts(transactions: Transactions) -> HostList:
    return HostList(transactions, "development_hosts", taken="Hostname already exists")


def device_teams(transactions: Transactions) -> HostList:
    taken = "Hostname already has a team assignment"
    return HostList(transactions, "device_teams", taken=taken, columns=("team_assignment",))


def _found(row: Any) -> Any:
    if row is None:
        raise NotFound(NO_HOST)
    return row


def _listed(row: Any) -> ListedHost:
    return ListedHost(row["hostname"], row["version"], row["updated_at"], row.get("team_assignment"))
