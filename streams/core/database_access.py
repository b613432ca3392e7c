"""Who may do what in PostgreSQL: the table of roles and privileges, and the statements that make it so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple


class DbRole(StrEnum):
    """None of them logs in: logins are members of one."""

    OWNER = "mutt_owner"
    """Owns everything; nobody is it but while the schema is changed."""
    MIGRATE = "mutt_migrate"
    """May become the owner: `mutt migrate`, `mutt retention restore`, `mutt erase`."""
    WORKER = "mutt_worker"
    API = "mutt_api"
    RETENTION = "mutt_retention"
    """`mutt retention run`."""
    OPERATOR = "mutt_operator"
    """All other `mutt` commands."""
    READONLY = "mutt_readonly"
    """People and reports that look."""


class Verb(StrEnum):
    """What a role may do with a table."""

    SELECT = "SELECT"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    MAINTAIN = "MAINTAIN"
    """Lock it, vacuum it."""


_LETTERS = {verb[0]: verb for verb in Verb}
_ROLES = (DbRole.WORKER, DbRole.API, DbRole.RETENTION, DbRole.OPERATOR, DbRole.READONLY, DbRole.MIGRATE)

_TABLES: tuple[tuple[str, str, str, str, str, str, str], ...] = (
    # table                  worker  api     retention operator readonly migrate
    ("partition_progress",   "SIU",  "S",    "S",      "SU",    "S",       ""),
    ("ledger",               "SIU",  "S",    "S",      "S",     "S",       ""),
    ("audit",                "SI",   "S",    "S",      "S",     "S",       ""),
    ("alerts",               "SIU",  "SU",   "SD",     "SU",    "S",       ""),
    ("dead_letters",         "SIU",  "SU",   "SD",     "SU",    "S",       ""),
    ("letter_log",           "SI",   "SI",   "S",      "SIU",   "S",       ""),
    ("replays",              "SIU",  "SIU",  "",       "SIU",   "S",       ""),
    ("purges",               "",     "S",    "",       "SI",    "S",       ""),
    ("sli",                  "SIU",  "SIU",  "SD",     "S",     "S",       ""),
    ("sli_sums",             "",     "S",    "",       "S",     "S",       ""),
    ("unhandled_signatures", "SIUD", "S",    "",       "S",     "S",       ""),
    ("partition_pauses",     "SIUD", "S",    "",       "S",     "S",       ""),
    ("alert_rules",          "S",    "SIU",  "",       "SIU",   "S",       ""),
    ("alert_rule_versions",  "",     "S",    "",       "S",     "S",       ""),
    ("development_hosts",    "S",    "SIUD", "",       "SIUD",  "S",       ""),
    ("device_teams",         "S",    "SIUD", "",       "SIUD",  "S",       ""),
    ("dynamic_config",       "S",    "SIUD", "S",      "SIUD",  "S",       "S"),
    ("config_audit",         "S",    "S",    "S",      "SI",    "S",       ""),
    ("ruleset_version",      "S",    "S",    "",       "S",     "S",       ""),
    ("maintenance_windows",  "",     "SIUD", "",       "SIUD",  "S",       ""),
    ("api_keys",             "S",    "SIU",  "",       "SIU",   "S",       ""),
    ("api_key_hashes",       "",     "SIU",  "",       "SIU",   "",        ""),
    ("auth_failures",        "",     "SIUD", "",       "S",     "S",       ""),
    ("idempotency_keys",     "",     "SIUD", "",       "",      "",        ""),
    ("ended_sessions",       "",     "SID",  "",       "",      "",        ""),
    ("retention_runs",       "",     "S",    "SIU",    "S",     "S",       ""),
    ("retention_archives",   "",     "S",    "SIUD",   "S",     "S",       "S"),
    ("legal_holds",          "",     "S",    "SM",     "SIU",   "S",       ""),
    ("erasures",             "",     "S",    "",       "S",     "S",       ""),
    ("schema_migrations",    "S",    "S",    "S",      "S",     "S",       "S"),
)  # fmt: skip
"""A letter a verb. The audit trails have no U and no D: rows leave them by functions alone, which want an archive."""

COLUMNS: Mapping[tuple[DbRole, str], tuple[str, ...]] = {
    (DbRole.RETENTION, "ledger"): ("archived_audit", "archived_alerts", "archived_letters"),
    # PostgreSQL locks a row only for whoever may change a column of it.
    (DbRole.RETENTION, "alerts"): ("published_at",),
    (DbRole.RETENTION, "dead_letters"): ("published_at",),
    (DbRole.RETENTION, "sli"): ("total",),
}
"""Columns that a role may change where it may not change the others."""

SEQUENCES: Mapping[str, tuple[DbRole, ...]] = {"object_version": (DbRole.API, DbRole.OPERATOR)}
FUNCTIONS: Mapping[str, tuple[DbRole, ...]] = {
    "create_audit_partition(date)": (DbRole.RETENTION,),
    "retention_check(uuid)": (DbRole.RETENTION,),
    "retention_detach(uuid)": (DbRole.RETENTION,),
    "retention_drop(uuid)": (DbRole.RETENTION,),
    "retention_delete_config_audit(tid[])": (DbRole.RETENTION,),
    "erasing()": (),
}
"""Those with their owner's rights, which are not for everybody. The owner himself asks the last."""

TABLES: tuple[str, ...] = tuple(row[0] for row in _TABLES)
PARTS = r"^(audit_default|audit_\d{4}_\d{2}|restored_.*)$"
"""Names of tables that only lie beside: whoever reads the audit reads them, nobody writes them."""


class Grant(NamedTuple):
    """One right of one role."""

    role: str
    object: str
    verb: str
    column: str = ""
    """Empty: all of them."""


def table_grants(table: str) -> Iterator[Grant]:
    """What the roles may do with a table of TABLES."""
    [row] = [row for row in _TABLES if row[0] == table]
    for role, letters in zip(_ROLES, row[1:], strict=True):
        yield from (Grant(role, table, _LETTERS[letter]) for letter in letters)
        yield from (Grant(role, table, Verb.UPDATE, column) for column in COLUMNS.get((role, table), ()))


def part_grants(part: str) -> Iterator[Grant]:
    """The same for a table that only lies beside."""
    yield from (grant._replace(object=part) for grant in table_grants("audit") if grant.verb == Verb.SELECT)


def wanted(tables: Collection[str], parts: Collection[str]) -> set[Grant]:
    """Every right on the tables and parts that are there, on sequences and functions."""
    found = {grant for table in TABLES if table in tables for grant in table_grants(table)}
    found |= {grant for part in parts for grant in part_grants(part)}
    if "schema_migrations" in tables:
        found |= {Grant(role, name, "USAGE") for name, roles in SEQUENCES.items() for role in roles}
        found |= {Grant(role, name, "EXECUTE") for name, roles in FUNCTIONS.items() for role in roles}
    return found


def role_statements() -> Iterator[tuple[str, str]]:
    """Each role's name, and what it is."""
    for role in DbRole:
        inherits = "NOINHERIT" if role is DbRole.MIGRATE else "INHERIT"
        yield role, f"NOLOGIN NOCREATEDB NOCREATEROLE NOREPLICATION {inherits}"


def schema_statements(database: str, schema: str) -> Iterator[str]:
    """Who may come in, and make things: nobody but the owner."""
    everybody = ", ".join(DbRole)
    yield f"GRANT {DbRole.OWNER} TO {DbRole.MIGRATE} WITH INHERIT FALSE, SET TRUE"
    yield f"REVOKE CREATE, TEMPORARY ON DATABASE {quoted(database)} FROM PUBLIC, {everybody}"
    yield f"GRANT CONNECT ON DATABASE {quoted(database)} TO {everybody}"
    yield f"REVOKE CREATE ON SCHEMA {quoted(schema)} FROM PUBLIC, {everybody}"
    yield f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {everybody}"
    yield f"GRANT CREATE ON SCHEMA {quoted(schema)} TO {DbRole.OWNER}"


def grant_statements(tables: Collection[str], parts: Collection[str]) -> Iterator[str]:
    """Takes every right on these from the roles and everybody, then gives what the table says. By their owner."""
    roles = ", ".join(_ROLES)
    known = [table for table in TABLES if table in tables]
    for table in [*known, *parts]:
        yield f"REVOKE ALL ON TABLE {quoted(table)} FROM PUBLIC, {roles}"
    if known:
        yield from (f"REVOKE ALL ON SEQUENCE {name} FROM PUBLIC, {roles}" for name in SEQUENCES)
        yield from (f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC, {roles}" for name in FUNCTIONS)
    yield from (_grant(grant) for grant in sorted(wanted(tables, parts)))


def _grant(grant: Grant) -> str:
    if grant.object in FUNCTIONS:
        return f"GRANT {grant.verb} ON FUNCTION {grant.object} TO {grant.role}"
    if grant.object in SEQUENCES:
        return f"GRANT {grant.verb} ON SEQUENCE {grant.object} TO {grant.role}"
    column = f" ({quoted(grant.column)})" if grant.column else ""
    return f"GRANT {grant.verb}{column} ON TABLE {quoted(grant.object)} TO {grant.role}"


def login_settings(role: str, schema: str) -> Iterator[str]:
    """Settings of the role, and of each login in it: settings are not inherited. Names are looked up in one place."""
    yield f"SET search_path = {quoted(schema)}, pg_temp"
    if role == DbRole.READONLY:
        yield "SET default_transaction_read_only = on"


def quoted(name: str) -> str:
    """The name as an identifier."""
    return '"' + name.replace('"', '""') + '"'
