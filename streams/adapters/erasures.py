"""Erasure in PostgreSQL: text and bytes of chosen rows are taken out in one transaction, with who wants it and why."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.errors import ArchiveDamaged, Refused
from streams.adapters.archives import ArchiveFolder
from streams.adapters.database_roles import become_owner
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.erasure import Target
from streams.core.retention import reason_problems

LONG_S = 3600.0
"""Bound on a statement that reads all there is."""


@dataclass(frozen=True, slots=True)
class Rows:
    """How erasure sees a table `t`; SQL, with the host as $1, the pattern as $2 and its bytes as $3."""

    table: str
    of_host: str
    with_text: str
    erased: str
    """Of a row that an erasure has been at."""
    closed: str
    """Of a row that nothing works with any more; others stay as they are."""
    held: str
    becomes: str
    """The SET list of its UPDATE."""


def _text(*columns: str) -> str:
    return " OR ".join(f"strpos(lower({column}), lower($2)) > 0" for column in columns)


def _bytes(*columns: str) -> str:
    return " OR ".join(f"position($3 IN {column}) > 0" for column in columns)


ROWS = (
    Rows(
        "audit", "t.hostname = $1",
        f"{_text('t.message', 't.correlation_id')} OR {_bytes('t.raw')}",
        "t.flags @> '{erased}'", "true", "erasure_held('audit', t.hostname, t.broker_time)",
        "message = '[erased]', raw = '', raw_sha256 = NULL, correlation_id = NULL, flags = '{erased}'",
    ),
    Rows(
        "alerts", "t.hostname = $1", _text("t.payload::text", "t.last_error"),
        "t.payload_sha256 IS NOT NULL", "t.state <> 'pending' AND t.published_at IS NOT NULL",
        "erasure_held('alerts', t.hostname, t.broker_time)",
        "payload_sha256 = sha256(convert_to(payload::text, 'UTF8')), payload = '{\"erased\": true}', last_error = NULL",
    ),
    Rows(
        "dead_letters", "(t.hostname = $1 OR t.key = convert_to($1, 'UTF8'))",
        f"{_text('t.detail')} OR {_bytes('t.key', 't.value', 't.edited_value')}"
        " OR EXISTS (SELECT FROM unnest(t.header_values) h WHERE position($3 IN h) > 0)",
        "t.value IS NULL AND t.key IS NULL AND t.edited_value IS NULL AND t.header_values = '{}'"
        " AND (t.detail = '' OR t.reason = 'too_large')",
        "t.state <> 'replaying' AND t.published_at IS NOT NULL",
        "erasure_held('dead_letters', t.hostname, t.broker_time)",
        "state = CASE WHEN t.state = 'replayed' THEN t.state ELSE 'purged' END, key = NULL, value = NULL,"
        " edited_value = NULL, header_names = '{}', header_values = '{}', hostname = NULL,"
        " detail = CASE WHEN t.reason = 'too_large' THEN t.detail ELSE '' END",
    ),
    Rows(
        "unhandled_signatures", "t.hostname = $1", _text("t.template", "t.sample"),
        "t.template = '[erased]'", "true", "erasure_held('audit', t.hostname, t.last_seen)",
        "template = '[erased]', sample = '[erased]'",
    ),
)  # fmt: skip
"""All of them in one transaction. A letter that is open can be replayed no more; a replayed one stays replayed."""

_HISTORY = """
UPDATE letter_log l SET value = NULL, diff = NULL FROM dead_letters d
 WHERE d.id = l.letter_id AND d.value IS NULL AND d.key IS NULL AND d.edited_value IS NULL
   AND d.header_values = '{}' AND (l.value IS NOT NULL OR l.diff IS NOT NULL)"""
_BEGIN = "INSERT INTO erasures (id, actor, reason, hostname, pattern_sha256) VALUES ($1, $2, $3, $4, $5)"
_COUNTED = "UPDATE erasures SET counts = $2 WHERE id = $1"
_ARCHIVES = """
SELECT name FROM retention_archives
 WHERE kind IN ('audit', 'alerts', 'dead_letters') AND state IN ('verified', 'detached', 'removed') ORDER BY name"""
_SIDE_TABLES = r"""
SELECT relname FROM pg_class
 WHERE relkind = 'r' AND relname LIKE 'restored\_%'
   AND relnamespace = current_schema()::regnamespace ORDER BY relname"""


class Tally(msgspec.Struct):
    """Rows of one table: erased now (or to be), kept by a legal hold, and still worked with."""

    rows: int = 0
    held: int = 0
    busy: int = 0


class Erased(msgspec.Struct):
    """What an erasure did, or would do. `id` is None for a rehearsal."""

    tables: dict[str, Tally]
    archives: list[str]
    """Archives that hold the data, or may, and tables that some were put back into: nothing is taken out of them."""
    id: uuid.UUID | None = None

    @property
    def busy(self) -> int:
        return sum(tally.busy for tally in self.tables.values())


class Erasures:
    """Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions, folder: ArchiveFolder | None = None) -> None:
        """Without the folder of the archives all of them are named."""
        self._transactions = transactions
        self._folder = folder

    async def rehearse(self, target: Target) -> Erased:
        """What would be done. Raises Refused with every fault at once."""
        if problems := list(target.problems()):
            raise Refused(problems)
        async with self._transactions.writing(Author("rehearsal"), answer_s=LONG_S) as connection:
            await become_owner(connection, local=True)
            tables = {rows.table: await _count(connection, rows, target) for rows in ROWS}
            return Erased(tables, await self._archives(connection, target))

    async def erase(self, target: Target, author: Author) -> Erased:
        """All of it or nothing. Whoever sets a legal hold waits meanwhile. Raises Refused with every fault at once."""
        reason = author.reason or ""
        if problems := [*target.problems(), *reason_problems(reason)]:
            raise Refused(problems)
        identity = uuid.uuid4()
        async with self._transactions.writing(author, answer_s=LONG_S) as connection:
            await become_owner(connection, local=True)
            await connection.execute("LOCK TABLE legal_holds IN SHARE MODE")
            await connection.execute(_BEGIN, identity, author.actor, reason, target.hostname, target.pattern_sha256)
            tables = {rows.table: await _erase(connection, rows, target) for rows in ROWS}
            await connection.execute(_HISTORY)
            counts = {table: tally.rows for table, tally in tables.items()}
            await connection.execute(_COUNTED, identity, msgspec.json.encode(counts).decode())
            return Erased(tables, await self._archives(connection, target), identity)

    async def _archives(self, connection: Any, target: Target) -> list[str]:
        names = [row["name"] for row in await connection.fetch(_ARCHIVES)]
        sides = [row["relname"] for row in await connection.fetch(_SIDE_TABLES)]
        return [name for name in names if self._may_hold(name, target)] + sides

    def _may_hold(self, name: str, target: Target) -> bool:
        """An archive that cannot be read may."""
        if self._folder is None:
            return True
        try:
            return any(target.is_in(line) for line in self._folder.lines(name))
        except (ArchiveDamaged, OSError, ValueError):
            return True


def _chosen(rows: Rows) -> str:
    return f"""($1::text IS NULL OR coalesce({rows.of_host}, false))
               AND (($2::text IS NULL AND $3::bytea IS NULL) OR coalesce({rows.with_text}, false))
               AND NOT coalesce({rows.erased}, false)"""


async def _count(connection: Any, rows: Rows, target: Target) -> Tally:
    held = f"({rows.held})"
    row = await connection.fetchrow(
        f"""SELECT count(*) FILTER (WHERE NOT {held} AND {rows.closed}) AS rows, count(*) FILTER (WHERE {held}) AS held,
                   count(*) FILTER (WHERE NOT {held} AND NOT ({rows.closed})) AS busy
              FROM {rows.table} t WHERE {_chosen(rows)}""",  # noqa: S608 - constants
        *_values(target),
    )
    return Tally(row["rows"], row["held"], row["busy"])


async def _erase(connection: Any, rows: Rows, target: Target) -> Tally:
    tally = await _count(connection, rows, target)
    status = await connection.execute(
        f"""UPDATE {rows.table} t SET {rows.becomes}
             WHERE {_chosen(rows)} AND NOT ({rows.held}) AND ({rows.closed})""",  # noqa: S608 - constants
        *_values(target),
    )
    tally.rows = int(status.rpartition(" ")[2])
    return tally


def _values(target: Target) -> tuple[str | None, str | None, bytes | None]:
    return target.hostname, target.pattern, None if target.pattern is None else target.pattern.encode()
