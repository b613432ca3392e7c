"""Detector secret: planted secrets in any of their forms, in files, topics and every column of every table."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.chaos.checker.database import TIMEOUT_S, Database
from tests.chaos.checker.evidence import Findings, Log, Place

CHUNK = 4 * 1024 * 1024
TYPES = ("text", "character varying", "character", "bytea", "json", "jsonb", "ARRAY", "name", "xml", "inet")
"""Column types that can hold a text (information_schema.columns.data_type)."""


class Canaries:
    """The planted secrets and how else they may be written."""

    def __init__(self, secrets: Sequence[str], out: Findings) -> None:
        self._out = out
        self._forms = [
            (number, form, needle) for number, secret in enumerate(secrets) for form, needle in forms(secret)
        ]
        self._longest = max((len(needle) for *_, needle in self._forms), default=0)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def search(self, where: str, data: bytes, reproduce: str = "") -> None:
        """Notes every canary in some bytes; the secret itself is never shown."""
        self._out.saw("secret")
        if not any(needle in data for *_, needle in self._forms):
            return
        for number, form, needle in self._forms:
            if (at := data.find(needle)) >= 0:
                self._out.wrong("secret", where, f"canary {number} as {form} at byte {at}", reproduce)

    def search_file(self, path: Path) -> None:
        """A file of any size, part by part."""
        with path.open("rb") as file:
            kept, at = b"", 0
            while part := file.read(CHUNK):
                self.search(f"{path.name} from byte {at}", kept + part, f"grep -abo … {path}")
                kept, at = part[-self._longest :], at + len(part) - self._longest

    def search_log(self, place: Place, log: Log) -> None:
        """Every record of a partition: key, value and headers."""
        for batch, first in _batches(log):
            self.search(f"{place[0]}:{place[1]} from offset {first}", batch, f"read {place} from offset {first}")

    async def search_tables(self, database: Database) -> None:
        """Every column of every table of ours that can hold a text."""
        columns: dict[str, list[str]] = {}
        for row in await database.fetch(_COLUMNS, list(TYPES)):
            columns.setdefault(row["table"], []).append(f't."{row["column"]}"')
        for table, names in columns.items():
            query = f"SELECT t.ctid::text, {', '.join(names)} FROM {table} t"
            async for rows in _read(database, query):
                first = rows[0][0]
                data = b"\0".join(part for row in rows for value in tuple(row)[1:] for part in _flat(value))
                self.search(f"{table} from row {first}", data, f"{query} WHERE t.ctid >= '{first}'")


_COLUMNS = """
SELECT format('%I.%I', table_schema, table_name) AS table, column_name AS column FROM information_schema.columns
  JOIN information_schema.tables USING (table_schema, table_name)
 WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE' AND data_type = ANY($1)
   AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = format('%I.%I', table_schema, table_name)::regclass
                      AND c.relkind = 'p')
 ORDER BY table_schema, table_name, ordinal_position
"""
"""Partitions are read, the tables they are parts of are not: else each row would be read twice."""


def forms(secret: str) -> list[tuple[str, bytes]]:
    """A secret as it stands, and as base64 (at each alignment, what does not depend on its neighbours), hexadecimal,
    URL-encoded and JSON-escaped."""
    plain = secret.encode()
    found = [("plain", plain), ("hex", plain.hex().encode()), ("HEX", plain.hex().upper().encode())]
    found.append(("url", quote(secret, safe="").encode()))
    found.append(("every byte url-encoded", "".join(f"%{byte:02X}" for byte in plain).encode()))
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + plain)
        core = whole[(0, 2, 3)[shift] : (len(plain) + shift) * 4 // 3]
        found.append((f"base64 shifted by {shift}", core))
        found.append((f"base64url shifted by {shift}", core.replace(b"+", b"-").replace(b"/", b"_")))
    return list({needle: (form, needle) for form, needle in reversed(found) if len(needle) >= 8}.values())


def _batches(log: Log) -> Iterable[tuple[bytes, int]]:
    parts: list[bytes] = []
    size, first = 0, log.begin
    for record in log.records:
        for part in (record.key, record.value, *(part for pair in record.headers for part in pair)):
            if part:
                parts.append(part)
                size += len(part)
        if size > CHUNK:
            yield b"\0".join(parts), first
            parts, size, first = [], 0, record.offset + 1
    if parts:
        yield b"\0".join(parts), first


async def _read(database: Database, query: str) -> AsyncIterator[list[Any]]:
    cursor = await database.connection.cursor(query, timeout=TIMEOUT_S)
    while rows := await cursor.fetch(5000, timeout=TIMEOUT_S):
        yield rows


def _flat(value: Any) -> Iterable[bytes]:
    if value is None:
        return
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _flat(item)
    else:
        yield str(value).encode("utf-8", "surrogatepass")
