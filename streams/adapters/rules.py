"""Rules in PostgreSQL: one consistent snapshot out, whole imports in."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import msgspec

from schemas.config import DynamicConfig
from schemas.config_values import tolerant_snapshot
from schemas.errors import RuleRefused
from schemas.rules import Rule, RuleSet
from streams.adapters.faults import store_faults
from streams.adapters.transactions import sign
from streams.core.authors import Author

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

COLUMNS = (
    "match_type", "match_string", "trap_oid", "syslog_severity", "severity_match", "priority", "prod_handling",
    "dev_handling", "team_assignment", "alert_severity", "description", "is_active", "mode",
)  # fmt: skip
"""The columns of `alert_rules` that a rule's author sets."""

_SELECT = f"SELECT id, version, {', '.join(COLUMNS)} FROM alert_rules WHERE retired_at IS NULL"  # noqa: S608 - constants
_RANK = " ORDER BY priority, id"

TYPES = """
    match_type text, match_string text, trap_oid text, syslog_severity smallint, severity_match text,
    priority integer, prod_handling text, dev_handling text, team_assignment text, alert_severity text,
    description text, is_active boolean, mode text"""

INSERT = f"""
INSERT INTO alert_rules ({", ".join(COLUMNS)})
SELECT {", ".join(f"row.{name}" for name in COLUMNS)}
  FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS ({TYPES})) WITH ORDINALITY AS row
 ORDER BY row.ordinality
"""  # noqa: S608 - constants
"""New rules from an array of `columns`, numbered in its order."""

IMPORT_TIMEOUT_S = 120.0


class PostgresRuleSource:
    """Implements the RuleSource port. Stored configuration that is out of bounds never stops a worker: the key keeps
    its default, and `on_problem` hears of it at every load."""

    def __init__(self, pool: asyncpg.Pool, *, on_problem: Callable[[str], None] | None = None) -> None:
        self._pool = pool
        self._on_problem = on_problem

    async def load(self) -> RuleSet:
        """One snapshot. Raises StoreUnavailable; RuleRefused when a stored rule is none."""
        with store_faults():
            async with self._pool.acquire() as connection:
                rule_set, problems = await load_rule_set(connection)
        if self._on_problem:
            for problem in problems:
                self._on_problem(problem)
        return rule_set

    async def version(self) -> int:
        with store_faults():
            version: int = await self._pool.fetchval("SELECT version FROM ruleset_version")
            return version


async def load_rule_set(connection: Connection) -> tuple[RuleSet, tuple[str, ...]]:
    """The rule set at one moment, and what is wrong with the stored configuration. Raises RuleRefused.

    It is put together in a thread: 10,000 rules take longer than lanes may stand still.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        version = await connection.fetchval("SELECT version FROM ruleset_version")
        rows = await connection.fetch(_SELECT + " AND is_active" + _RANK)
        hosts = await connection.fetch("SELECT hostname FROM development_hosts")
        teams = await connection.fetch("SELECT hostname, team_assignment FROM device_teams")
        stored = await connection.fetch("SELECT key, value FROM dynamic_config ORDER BY key")
    return await asyncio.to_thread(_rule_set, version, rows, hosts, teams, stored)


def _rule_set(
    version: int, rows: Sequence[Any], hosts: Sequence[Any], teams: Sequence[Any], stored: Sequence[Any]
) -> tuple[RuleSet, tuple[str, ...]]:
    config, problems = tolerant_snapshot({row["key"]: row["value"] for row in stored})
    rules = tuple(rule_of(row) for row in rows)
    development_hosts = frozenset(row["hostname"] for row in hosts)
    device_teams = {row["hostname"]: row["team_assignment"] for row in teams}
    rule_set = RuleSet(
        version=version,
        digest=digest(rules, development_hosts, device_teams, config),
        rules=rules,
        development_hosts=development_hosts,
        device_teams=device_teams,
        config=config,
    )
    return rule_set, problems


def digest(
    rules: Sequence[Rule], development_hosts: frozenset[str], device_teams: dict[str, str], config: DynamicConfig
) -> str:
    """SHA-256 (hex) of the canonical JSON of all that decides: equal content, equal digest, whatever its version."""
    content = {"rules": rules, "hosts": development_hosts, "teams": device_teams, "config": config}
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def rule_of(row: Any) -> Rule:
    """The rule in a row. Raises RuleRefused when it is none."""
    try:
        return msgspec.convert(dict(row), Rule)
    except msgspec.ValidationError as error:
        raise RuleRefused(f"stored rule {row['id']}: {error}") from error


async def export_rules(connection: Connection) -> list[Rule]:
    """Every rule that is not retired, inactive ones too, in rank order. Raises RuleRefused."""
    return [rule_of(row) for row in await connection.fetch(_SELECT + _RANK)]


class Imported(NamedTuple):
    """What an import did."""

    added: int
    unchanged: int
    """Rules of the file that stand there already, word for word."""


async def import_rules(connection: Connection, rules: Sequence[Rule], author: Author) -> Imported:
    """Adds the rules that are not there yet, in their order, all or none; the database numbers them.

    The rules must have passed `rule_from_mapping` and `check_patterns`. An import repeated adds nothing.
    """
    async with connection.transaction():
        await connection.execute("LOCK TABLE alert_rules IN SHARE ROW EXCLUSIVE MODE")
        added = missing(rules, await export_rules(connection))
        if added:
            await sign(connection, author)
            text = msgspec.json.encode([columns(rule) for rule in added]).decode()
            await connection.execute(INSERT, text, timeout=IMPORT_TIMEOUT_S)
    return Imported(len(added), len(rules) - len(added))


def missing(wanted: Sequence[Rule], present: Sequence[Rule]) -> list[Rule]:
    """The wanted rules that no present rule equals in all its author sets; each present rule stands for one."""
    there = Counter(tuple(columns(rule).values()) for rule in present)
    found: list[Rule] = []
    for rule in wanted:
        body = tuple(columns(rule).values())
        if there[body]:
            there[body] -= 1
        else:
            found.append(rule)
    return found


def columns(rule: Rule) -> dict[str, Any]:
    """All that the author of a rule sets."""
    return {name: getattr(rule, name) for name in COLUMNS}
