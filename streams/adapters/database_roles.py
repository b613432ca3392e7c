"""Makes the roles of PostgreSQL what their table says (streams.core.database_access), and tells where they are not."""

from __future__ import annotations

import re
import secrets as randomness
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.secret_names import DatabaseRole
from schemas.secrets import Secret
from streams.core.database_access import (
    FUNCTIONS,
    PARTS,
    SEQUENCES,
    TABLES,
    DbRole,
    Grant,
    grant_statements,
    login_settings,
    quoted,
    role_statements,
    schema_statements,
    wanted,
)
from streams.core.login_rotation import other_login, scram_verifier

_PLACE = "SELECT current_database() AS database, current_schema() AS schema"
_TABLES_THERE = """
SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
"""
_IS_OWNER = """
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AND has_schema_privilege($1, current_schema(), 'CREATE')
   AND pg_has_role($1, 'SET')"""
# What whoever migrated so far owns; sequences of identity columns go with their tables, types of rows too.
_NOT_OWNED = """
WITH before AS (SELECT relowner AS owner FROM pg_class WHERE oid = to_regclass('schema_migrations')),
     here AS (SELECT current_schema()::regnamespace AS schema)
SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind,
       c.oid::regclass::text AS name
  FROM pg_class c, before, here WHERE relnamespace = schema AND relowner = owner AND relkind IN ('r', 'p', 'S', 'c')
   AND pg_get_userbyid(owner) <> $1 AND NOT EXISTS (
       SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('i', 'a')
          AND c.relkind = 'S')
UNION ALL
SELECT 'FUNCTION', p.oid::regprocedure::text FROM pg_proc p, before, here
 WHERE pronamespace = schema AND proowner = owner AND pg_get_userbyid(owner) <> $1"""
_LOGINS = """
SELECT g.rolname::text AS role, u.rolname::text AS login, coalesce(u.rolconfig, '{}') AS config
  FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
 WHERE g.rolname = ANY($1) AND u.rolcanlogin AND NOT u.rolsuper ORDER BY 1, 2"""
_ROLES = """
SELECT rolname::text AS role, rolcanlogin OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
       AS powerful, rolinherit AS inherits, coalesce(rolconfig, '{}') AS config FROM pg_roles WHERE rolname = ANY($1)"""
_MORE_THAN_OURS = """
SELECT g.rolname::text AS of, u.rolname::text AS role FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
  JOIN pg_roles u ON u.oid = m.member
 WHERE u.rolname = ANY($1) AND NOT (u.rolname = $2 AND g.rolname = $3)"""
_RIGHTS = """
SELECT coalesce(r.rolname::text, 'everybody') AS role, x.object, x.verb, x.column FROM (
    SELECT c.relname::text AS object, a.grantee, a.privilege_type AS verb, '' AS column, c.relowner AS owner
      FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'S')
    UNION ALL
    SELECT c.relname::text, a.grantee, a.privilege_type, t.attname::text, c.relowner
      FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid CROSS JOIN aclexplode(t.attacl) a
     WHERE c.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT p.oid::regprocedure::text, a.grantee, a.privilege_type, '', p.proowner
      FROM pg_proc p CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     WHERE p.oid::regprocedure::text = ANY($2)
) x LEFT JOIN pg_roles r ON r.oid = x.grantee
 WHERE (x.grantee = 0 OR r.rolname = ANY($1)) AND x.grantee <> x.owner"""
_MAY_CREATE = """
SELECT coalesce(r.rolname::text, 'everybody') FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a
  LEFT JOIN pg_roles r ON r.oid = a.grantee
 WHERE n.nspname = current_schema() AND a.privilege_type = 'CREATE' AND (a.grantee = 0 OR r.rolname = ANY($1))"""
_ALL = [str(role) for role in DbRole]
NONE: Mapping[DatabaseRole, Secret] = {}


@dataclass(frozen=True, slots=True)
class Place:
    """What is there to be given away."""

    database: str
    schema: str
    tables: tuple[str, ...]
    parts: tuple[str, ...]


async def apply_roles(connection: Any, *, keep: bool = True, logins: Mapping[DatabaseRole, Secret] = NONE) -> list[str]:
    """Makes the roles, gives the owner everything of mutt and each its rights. Returns the statements that were run.

    `logins`: each of these roles gets its first login, with that password, or the login gets that password.

    All or nothing, and safe to repeat; without `keep` it is undone. The connection may make roles, and owns what is
    there or is a superuser. Raises asyncpg's errors.
    """
    transaction = connection.transaction()
    await transaction.start()
    done: list[str] = []
    try:
        place = await _place(connection)
        done += await _make_roles(connection, place)
        for statement in schema_statements(place.database, place.schema):
            done += await _run(connection, statement)
        for row in await connection.fetch(_NOT_OWNED, DbRole.OWNER):
            done += await _run(connection, f"ALTER {row['kind']} {row['name']} OWNER TO {DbRole.OWNER}")
        done += await grant(connection)
        for role, password in logins.items():
            login, group = other_login(role, ""), DbRole(f"mutt_{role}")
            await make_login(connection, login, scram_verifier(password, randomness.token_bytes(16)), [group])
            done.append(f"GRANT {group} TO {quoted(login)}")
        for row in await connection.fetch(_LOGINS, _ALL):
            done += await set_login(connection, row["login"], row["role"])
    except BaseException:
        await transaction.rollback()
        raise
    await (transaction.commit() if keep else transaction.rollback())
    return done


async def _make_roles(connection: Any, place: Place) -> list[str]:
    there = {row["role"]: row for row in await connection.fetch(_ROLES, _ALL)}
    done: list[str] = []
    for role, attributes in role_statements():
        if role not in there:
            done += await _run(connection, f"CREATE ROLE {role} {attributes}")
        elif there[role]["powerful"] or there[role]["inherits"] is (role == DbRole.MIGRATE):
            done += await _run(connection, f"ALTER ROLE {role} {attributes}")  # only a superuser may name some of them
        for setting in login_settings(role, place.schema):
            done += await _run(connection, f"ALTER ROLE {role} {setting}")
    for row in await connection.fetch(_MORE_THAN_OURS, _ALL, DbRole.MIGRATE, DbRole.OWNER):
        done += await _run(connection, f"REVOKE {quoted(row['of'])} FROM {row['role']}")
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        done += await _run(connection, f"GRANT {DbRole.OWNER} TO CURRENT_USER")
    return done


async def grant(connection: Any) -> list[str]:
    """The rights on what is there, by its owner. Returns the statements that were run. Raises asyncpg's errors."""
    place = await _place(connection)
    done: list[str] = []
    for statement in grant_statements(place.tables, place.parts):
        done += await _run(connection, statement)
    return done


async def set_login(connection: Any, login: str, role: str) -> list[str]:
    """Gives a login the settings of its role, which are not inherited."""
    schema = await connection.fetchval("SELECT current_schema()")
    done: list[str] = []
    for setting in login_settings(role, schema) if role in _ALL else ():
        done += await _run(connection, f"ALTER ROLE {quoted(login)} {setting}")
    return done


async def make_login(connection: Any, login: str, verifier: str, roles: Sequence[str]) -> None:
    """A login in these roles, or the same with another password. In the transaction of whoever calls.

    `verifier` is of SCRAM: the server is never told the password.
    """
    if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", login):
        await connection.execute(f"CREATE ROLE {quoted(login)}")
    words = await connection.fetchval("SELECT quote_literal($1)", verifier)
    await connection.execute(f"ALTER ROLE {quoted(login)} LOGIN PASSWORD {words}")
    for role in roles:
        await connection.execute(f"GRANT {quoted(role)} TO {quoted(login)}")
        await set_login(connection, login, role)


async def become_owner(connection: Any, *, local: bool = False) -> bool:
    """Goes on as the owner of mutt's tables, where there is one for this schema and the login may.

    `local`: until the transaction ends, else until RESET ROLE. Whether it did.
    """
    may: bool = await connection.fetchval(_IS_OWNER, DbRole.OWNER)
    if may:
        await connection.execute(f"SET {'LOCAL ' if local else ''}ROLE {DbRole.OWNER}")
    return may


async def differences(connection: Any) -> list[str]:
    """Where the database differs from the table of roles, a line each. Raises asyncpg's errors."""
    roles = {row["role"]: row for row in await connection.fetch(_ROLES, _ALL)}
    found = [f"there is no role {role}" for role in _ALL if role not in roles]
    if found:
        return found
    place = await _place(connection)
    found += [f"{row['role']} can log in, or has a power of its own" for row in roles.values() if row["powerful"]]
    owner = await connection.fetch(_NOT_OWNED, DbRole.OWNER)
    found += [f"{row['name']} is not {DbRole.OWNER}'s" for row in owner]
    members = await connection.fetch(_MORE_THAN_OURS, _ALL, DbRole.MIGRATE, DbRole.OWNER)
    found += [f"{row['role']} is a member of {row['of']}" for row in members]
    creators = {row[0] for row in await connection.fetch(_MAY_CREATE, _ALL)} - {DbRole.OWNER}
    found += [f"{role} may create in the schema {place.schema}" for role in sorted(creators)]
    found += await _grants_that_differ(connection, place)
    settings = [(role, role, row["config"]) for role, row in roles.items()]
    settings += [tuple(row) for row in await connection.fetch(_LOGINS, _ALL)]
    return found + [
        f"{login} lacks the setting: {setting}"
        for role, login, config in settings
        for setting in login_settings(role, place.schema)
        if setting.removeprefix("SET ").replace(" = ", "=", 1).replace('"', "") not in _plain(config)
    ]


def _plain(config: list[str]) -> set[str]:
    return {each.replace('"', "") for each in config}


async def _grants_that_differ(connection: Any, place: Place) -> list[str]:
    rows = await connection.fetch(_RIGHTS, _ALL, list(FUNCTIONS))
    ours = {*place.tables, *place.parts, *SEQUENCES, *FUNCTIONS}
    real = {Grant(*row) for row in rows if row["object"] in ours}
    due = wanted(place.tables, place.parts)
    return [f"{_said(each)}: missing" for each in sorted(due - real)] + [
        f"{_said(each)}: too much" for each in sorted(real - due)
    ]


def _said(grant: Grant) -> str:
    return f"{grant.role} {grant.verb} on {grant.object}" + (f" ({grant.column})" if grant.column else "")


async def _place(connection: Any) -> Place:
    [(database, schema)] = await connection.fetch(_PLACE)
    there = sorted(row[0] for row in await connection.fetch(_TABLES_THERE))
    parts = tuple(name for name in there if re.match(PARTS, name))
    return Place(database, schema, tuple(name for name in there if name in TABLES), parts)


async def _run(connection: Any, statement: str) -> list[str]:
    await connection.execute(statement)
    return [statement]
