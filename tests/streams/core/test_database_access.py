"""Who may do what in PostgreSQL, as the table says it, and as the statements do."""

from __future__ import annotations

import re

import pytest

from streams.core.database_access import (
    FUNCTIONS,
    SEQUENCES,
    TABLES,
    DbRole,
    Grant,
    Verb,
    grant_statements,
    login_settings,
    part_grants,
    quoted,
    role_statements,
    schema_statements,
    table_grants,
    wanted,
)

TRAILS = ("audit", "config_audit")
PART = "audit_2026_03"


def test_nobody_changes_or_deletes_what_the_trails_hold() -> None:
    verbs = {(grant.object, grant.verb) for grant in wanted(TABLES, [PART]) if grant.object in (*TRAILS, PART)}
    assert {verb for _, verb in verbs} <= {Verb.SELECT, Verb.INSERT}
    assert {verb for name, verb in verbs if name == PART} == {Verb.SELECT}


def test_who_only_looks_may_only_look_and_sees_nothing_of_who_came_in() -> None:
    found = {grant for grant in wanted(TABLES, [PART]) if grant.role == DbRole.READONLY}
    assert {grant.verb for grant in found} == {Verb.SELECT}
    assert set(TABLES) - {grant.object for grant in found} == {"api_key_hashes", "idempotency_keys", "ended_sessions"}


def test_a_table_that_is_not_there_yet_gets_no_right() -> None:
    assert wanted(["ledger", "of_somebody_else"], []) == set(table_grants("ledger"))
    assert list(grant_statements([], [])) == []
    assert Grant(DbRole.RETENTION, "ledger", Verb.UPDATE, "archived_audit") in set(table_grants("ledger"))


def test_parts_are_read_by_who_reads_the_audit() -> None:
    readers = {grant.role for grant in table_grants("audit") if grant.verb == Verb.SELECT}
    assert {(grant.role, grant.object) for grant in part_grants(PART)} == {(role, PART) for role in readers}


def test_every_right_is_taken_before_one_is_given() -> None:
    statements = list(grant_statements(TABLES, [PART]))
    first = next(at for at, text in enumerate(statements) if text.startswith("GRANT"))
    assert all(text.startswith("REVOKE ALL ON ") for text in statements[:first])
    assert all(text.startswith("GRANT ") for text in statements[first:])
    taken = {re.split(r" ON \w+ | FROM ", text)[1].strip('"') for text in statements[:first]}
    assert taken == {*TABLES, PART, *SEQUENCES, *FUNCTIONS}
    assert len(statements) - first == len(wanted(TABLES, [PART]))
    assert all(" FROM PUBLIC, mutt_worker, " in text for text in statements[:first])


@pytest.mark.parametrize(
    "statement",
    [
        'GRANT INSERT ON TABLE "audit" TO mutt_worker',
        'GRANT UPDATE ("archived_audit") ON TABLE "ledger" TO mutt_retention',
        f'GRANT SELECT ON TABLE "{PART}" TO mutt_readonly',
        "GRANT USAGE ON SEQUENCE object_version TO mutt_api",
        "GRANT EXECUTE ON FUNCTION retention_drop(uuid) TO mutt_retention",
    ],
)
def test_a_right_is_given_by_one_statement(statement: str) -> None:
    assert list(grant_statements(TABLES, [PART])).count(statement) == 1


def test_roles_do_not_log_in_and_the_one_that_migrates_must_say_so() -> None:
    told = dict(role_statements())
    assert set(told) == set(DbRole)
    assert {role for role, text in told.items() if not text.endswith(" INHERIT")} == {DbRole.MIGRATE}
    assert all(text.startswith("NOLOGIN NOCREATEDB NOCREATEROLE NOREPLICATION ") for text in told.values())


def test_only_the_owner_makes_things_in_the_schema() -> None:
    statements = list(schema_statements('a "b"', "s"))
    assert [text for text in statements if text.startswith("GRANT CREATE")] == [
        'GRANT CREATE ON SCHEMA "s" TO mutt_owner'
    ]
    assert any(text.startswith('REVOKE CREATE, TEMPORARY ON DATABASE "a ""b""" FROM PUBLIC, ') for text in statements)
    assert statements[0] == "GRANT mutt_owner TO mutt_migrate WITH INHERIT FALSE, SET TRUE"


def test_names_are_looked_up_in_one_schema_and_who_looks_writes_nothing() -> None:
    path = 'SET search_path = "s", pg_temp'
    assert list(login_settings(DbRole.WORKER, "s")) == [path]
    assert list(login_settings(DbRole.READONLY, "s")) == [path, "SET default_transaction_read_only = on"]
    assert quoted('x"; DROP') == '"x""; DROP"'
