"""Two versions work on one database while a fleet is upgraded: a migration takes nothing away without saying so."""

from __future__ import annotations

import re

import pytest

from streams.adapters.migrations import Migration, packaged

NO_LONGER = re.compile(
    r"\bDROP\s+(TABLE|COLUMN|VIEW|MATERIALIZED|FUNCTION|PROCEDURE|TYPE|SCHEMA|SEQUENCE)\b"
    r"|\bRENAME\b|\bALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE\b|\bSET\s+NOT\s+NULL\b|\bTRUNCATE\s+(?!ON\b|OR\b)\w",
    re.IGNORECASE,
)
"""What the version before may use, or may leave empty."""
ADDED = re.compile(r"\bADD\s+COLUMN\s+(?:IF\s+NOT\s+EXISTS\s+)?([^,;]+)", re.IGNORECASE)


def taken_away(migration: Migration) -> list[str]:
    """The parts of a migration that a program which does not know it could fail by."""
    text = re.sub(r"--[^\n]*|'[^']*'", " ", migration.sql)
    text = re.sub(r"\$(\w*)\$.*?\$\1\$", " ", text, flags=re.DOTALL)  # bodies of functions
    found = [match[0] for match in NO_LONGER.finditer(text)]
    return found + [f"ADD COLUMN {column}" for column in ADDED.findall(text) if is_required(column)]


def is_required(column: str) -> bool:
    words = column.upper().split()
    return "NOT" in words and not {"DEFAULT", "GENERATED"} & set(words)


@pytest.mark.parametrize("migration", packaged(), ids=str)
def test_a_migration_that_takes_something_away_says_who_can_do_without(migration: Migration) -> None:
    assert migration.needs or taken_away(migration) == []
    assert migration.needs < migration.number


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE teams",
        "ALTER TABLE alerts DROP COLUMN team",
        "ALTER TABLE alerts RENAME COLUMN team TO squad",
        "ALTER TABLE alerts ALTER COLUMN team TYPE bytea",
        "ALTER TABLE alerts ALTER COLUMN team SET NOT NULL",
        "ALTER TABLE alerts ADD COLUMN squad text NOT NULL",
        "drop function create_audit_partition",
    ],
)
def test_what_takes_something_away_is_noticed(sql: str) -> None:
    assert taken_away(Migration(9001, "contract", sql))


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE squads (id int NOT NULL)",
        "ALTER TABLE alerts ADD COLUMN squad text",
        "ALTER TABLE alerts ADD COLUMN squad text NOT NULL DEFAULT ''",
        "DROP INDEX alerts_pending",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DROP TABLE teams $$",
        "-- DROP TABLE teams, one day",
    ],
)
def test_what_adds_something_is_let_through(sql: str) -> None:
    assert taken_away(Migration(9001, "expand", sql)) == []


def test_who_can_do_without_is_read_from_its_line() -> None:
    assert Migration(12, "contract", "-- needs: 0011\nDROP TABLE teams").needs == 11
    assert Migration(12, "expand", "SELECT 1 -- needs: 0011").needs == 0
