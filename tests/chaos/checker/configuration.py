"""Detector config: no change without its audit row, in one transaction; the audit says what stood there before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import asyncpg

from tests.chaos.checker.database import Database
from tests.chaos.checker.evidence import Findings
from tests.chaos.checker.rules import Change, apply

KEYS = {
    "alert_rules": "id",
    "development_hosts": "hostname",
    "device_teams": "hostname",
    "dynamic_config": "key",
    "maintenance_windows": "id",
    "api_keys": "id",
}
"""Audited tables, and the column by which their objects are named."""
APPEND_ONLY = {"audit": "team", "config_audit": "reason", "alert_rule_versions": "changed_by"}
"""Tables that nobody may change, each with one of its columns; so are the parts of the audit."""
UNSEEN = {"updated_at", "version"}
"""Columns that the audit leaves out; the version of a rule is content and stays."""


class Object(NamedTuple):
    """A row of an audited table as it stands."""

    table: str
    name: str
    content: Mapping[str, Any]
    committed: int | None


class Version(NamedTuple):
    """A row of alert_rule_versions."""

    rule: int
    version: int
    body: Mapping[str, Any]
    committed: int | None


class Books(NamedTuple):
    """Everything there is about configuration."""

    changes: list[Change]
    objects: list[Object]
    versions: list[Version]
    refused: Mapping[str, str]
    """By statement: the error that the server answers, empty where it obeys."""


async def read_configuration(database: Database) -> tuple[list[Change], list[Object], list[Version], int]:
    """The audit of configuration, what stands there, every version of rules, and the count of changes."""
    rows = await database.fetch(
        f"SELECT id, xmin::text::bigint AS xid, {database.committed()} AS committed, operation, table_name, object,"
        " old_values::text AS old, new_values::text AS new FROM config_audit ORDER BY id"
    )
    changes = [Change._make((*tuple(row)[:6], _json(row["old"]), _json(row["new"]))) for row in rows]
    objects = [
        Object(table, str(row["name"]), _json(row["content"]) or {}, row["committed"])
        for table, key in KEYS.items()
        for row in await database.fetch(
            f"SELECT {key} AS name, to_jsonb(t)::text AS content, {database.committed('t.xmin')} AS committed"
            f" FROM {table} t"
        )
    ]
    versions = [
        Version(row["rule_id"], row["version"], _json(row["body"]) or {}, row["committed"])
        for row in await database.fetch(
            f"SELECT rule_id, version, body::text AS body, {database.committed()} AS committed FROM alert_rule_versions"
        )
    ]
    return changes, objects, versions, await database.connection.fetchval("SELECT version FROM ruleset_version")


async def try_to_change(dsn: str) -> dict[str, str]:
    """What the server answers to who would change what is append-only. Statements that name no row, taken back."""
    answers: dict[str, str] = {}
    connection = await asyncpg.connect(dsn, timeout=30)
    try:
        parts = await connection.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit'::regclass"
        )
        columns = APPEND_ONLY | {row["name"]: APPEND_ONLY["audit"] for row in parts}
        for table, column in columns.items():
            for statement in (
                f"UPDATE {table} SET {column} = {column} WHERE false",
                f"DELETE FROM {table} WHERE false",
                f"TRUNCATE {table}",
            ):
                answers[statement] = await _answer(connection, statement)
    finally:
        await connection.close(timeout=10)
    return answers


async def _answer(connection: Any, statement: str) -> str:
    attempt = connection.transaction()
    await attempt.start()
    try:
        await connection.execute("SET LOCAL lock_timeout = '2s'")
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        return str(error)
    else:
        return ""
    finally:
        await attempt.rollback()


def check_configuration(books: Books, out: Findings) -> None:
    out.saw("config", len(books.changes))
    state = _chain(books.changes, out)
    _objects(books, state, out)
    _versions(books, out)
    for statement, error in books.refused.items():
        if "append-only" not in error and "permission denied" not in error and "lock timeout" not in error:
            out.wrong("config", statement, f"not refused: {error or 'it was obeyed'}", statement)


def _chain(changes: list[Change], out: Findings) -> dict[str, dict[str, dict[str, Any]]]:
    """Each row's old values are what the rows before it left. Returns what must stand there now."""
    state: dict[str, dict[str, dict[str, Any]]] = {table: {} for table in KEYS}
    for change in changes:
        if change.table not in KEYS:
            continue
        before = state[change.table].get(change.object)
        where = f"config_audit {change.id}: {change.table} {change.object}"
        query = (
            f"SELECT * FROM config_audit WHERE table_name = '{change.table}' AND object = '{change.object}' ORDER BY id"
        )
        if change.old is None and before is not None:
            out.wrong("config", where, "made, though it was there", query)
        elif change.old is not None:
            there = before or {}
            differs = {key: (value, there.get(key)) for key, value in change.old.items() if there.get(key) != value}
            if before is None:
                out.wrong("config", where, "changed, but no row tells how it came there", query)
            elif differs:
                out.wrong("config", where, f"old values are not the previous new ones: {differs}", query)
        apply(state[change.table], change)
    return state


def _objects(books: Books, state: Mapping[str, Mapping[str, Mapping[str, Any]]], out: Findings) -> None:
    """What stands there is what the audit says, and was written by the transaction that wrote the audit row."""
    last = {(change.table, change.object): change for change in books.changes}
    found: set[tuple[str, str]] = set()
    for table, name, content, committed in books.objects:
        found.add((table, name))
        known = state[table].get(name)
        query = f"SELECT * FROM {table} WHERE {KEYS[table]}::text = '{name}'"
        if known is None:
            out.wrong("config", f"{table} {name}", "there without an audit row", query)
            continue
        differs = {key: (value, known.get(key)) for key, value in _seen(table, content) if known.get(key) != value}
        if differs:
            out.wrong("config", f"{table} {name}", f"differs from what its audit says: {differs}", query)
        audited = last[table, name].committed
        if committed is not None and audited is not None and audited > committed:
            out.wrong("config", f"{table} {name}", "its audit row was committed later, by another transaction", query)
    for table, objects in state.items():
        for name in objects:
            if (table, name) not in found:
                out.wrong("config", f"{table} {name}", "gone without an audit row")


def _seen(table: str, content: Mapping[str, Any]) -> list[tuple[str, Any]]:
    unseen = UNSEEN - ({"version"} if table == "alert_rules" else set())
    return [(key, value) for key, value in content.items() if key not in unseen]


def _versions(books: Books, out: Findings) -> None:
    """Every version of a rule and the audit row that made it have one commit time."""
    made: dict[tuple[str, int], Change] = {}
    for change in books.changes:
        if change.table == "alert_rules" and change.new is not None and "version" in change.new:
            made[change.object, change.new["version"]] = change
    for rule, version, body, committed in books.versions:
        audited = made.get((str(rule), version))
        where = f"rule {rule} version {version}"
        query = f"SELECT * FROM alert_rule_versions WHERE rule_id = {rule} AND version = {version}"
        if audited is None:
            out.wrong("config", where, "no audit row made it", query)
        elif committed != audited.committed:
            out.wrong("config", where, f"committed at {committed}, its audit row at {audited.committed}", query)
        elif audited.new is not None and any(body.get(key) != value for key, value in audited.new.items()):
            out.wrong("config", where, "its body is not what the audit says", query)
    kept = {(str(version.rule), version.version) for version in books.versions}
    for rule_id, number in made.keys() - kept:
        out.wrong("config", f"rule {rule_id} version {number}", "audited, but its version is not kept")


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
