"""docs/SQL.md: the tables of a migrated database with their columns, indexes and rules, and what each is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg

from ops.documents.markdown import code, page, table
from ops.documents.sql_words import Words

_TABLES = """
SELECT c.oid, c.relname AS name, coalesce(pg_get_partkeydef(c.oid), '') AS partitioned
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname
"""
_COLUMNS = """
SELECT a.attrelid AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
       CASE WHEN a.attidentity <> '' THEN 'identity' ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '') END AS default
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_INDEXES = """
SELECT i.indrelid AS oid, c.relname AS name, pg_get_indexdef(i.indexrelid, 0, true) AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY($1::oid[]) AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
ORDER BY c.relname
"""
_RULES = """
SELECT conrelid AS oid, pg_get_constraintdef(oid, true) AS definition FROM pg_constraint
WHERE conrelid = ANY($1::oid[]) AND contype IN ('p', 'u', 'f', 'c') ORDER BY position(contype::text IN 'pufc'), conname
"""


@dataclass(slots=True)
class Table:
    """One table as the server has it. Columns: name, type, required, default. Indexes: name, definition."""

    name: str
    partitioned: str
    columns: list[tuple[str, str, bool, str]] = field(default_factory=list)
    indexes: list[tuple[str, str]] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


async def tables(connection: asyncpg.Connection) -> list[Table]:
    """Every table of a migrated database but the parts of a partitioned one, by name."""
    found = {row["oid"]: Table(row["name"], row["partitioned"]) for row in await connection.fetch(_TABLES)}
    for row in await connection.fetch(_COLUMNS, list(found)):
        found[row["oid"]].columns.append((row["name"], row["type"], row["required"], row["default"]))
    for row in await connection.fetch(_INDEXES, list(found)):
        found[row["oid"]].indexes.append((row["name"], row["definition"]))
    for row in await connection.fetch(_RULES, list(found)):
        found[row["oid"]].rules.append(row["definition"])
    return list(found.values())


def document(found: list[Table]) -> str:
    """The page. Raises KeyError for a table or an index that nobody says a word about."""
    words = Words()
    about = (
        "PostgreSQL as `mutt migrate` leaves it; the files are in `schemas/sql/`. Read it freely"
        " ([OPERATIONS.md](OPERATIONS.md) has a role for\nthat); what is written by hand escapes the invariants."
    )
    contents = table(
        ("Table", "What it holds"), ((f"[`{one.name}`](#{one.name})", words.tables[one.name]) for one in found)
    )
    return page("Tables", about, contents, *(_table(one, words) for one in found))


def _table(one: Table, words: Words) -> Iterator[str]:
    yield f"## {one.name}"
    yield ""
    yield words.tables[one.name]
    yield ""
    yield from table(
        ("Column", "Type", "Null", "Default", "Meaning"),
        (
            (code(name), kind, "" if required else "yes", code(default), words.columns.get((one.name, name), ""))
            for name, kind, required, default in one.columns
        ),
    )
    yield from table(
        ("Index", "Definition", "For"),
        (
            (code(name), code(definition.partition(" USING ")[2]), words.indexes[name])
            for name, definition in one.indexes
        ),
    )
    kept = [*one.rules, *([f"PARTITION BY {one.partitioned}"] if one.partitioned else [])]
    yield from (f"- {code(' '.join(rule.split()))}" for rule in kept)
    yield ""
