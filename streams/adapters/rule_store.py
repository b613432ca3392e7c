"""Rules as people edit them, in PostgreSQL: every change a new version, audited in its transaction (I8)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.errors import NotFound, Outdated
from schemas.rules import Rule
from streams.adapters.rules import COLUMNS, INSERT, TYPES, Imported, columns, import_rules, rule_of
from streams.adapters.selects import Select, containing
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.paging import Page, Place, Sort
from streams.core.rule_book import RuleQuery, RuleVersion, StoredRule

_SHOWN = f"id, version, {', '.join(COLUMNS)}, updated_at, retired_at"
_RETURNING = f" RETURNING {_SHOWN}"
_UPDATE = f"""
UPDATE alert_rules SET {", ".join(f"{name} = row.{name}" for name in COLUMNS)}, retired_at = NULL
  FROM jsonb_to_record($2::jsonb) AS row({TYPES})
 WHERE id = $1
RETURNING id, version, {", ".join(f"alert_rules.{name}" for name in COLUMNS)}, updated_at, retired_at
"""  # noqa: S608 - constants
_HISTORY = """
    alert_rule_versions v LEFT JOIN LATERAL (
        SELECT operation, reason, client_id, correlation_id, request_id FROM config_audit
         WHERE table_name = 'alert_rules' AND object = v.rule_id::text
           AND (new_values ->> 'version')::integer = v.version
         ORDER BY id LIMIT 1) a ON true"""
_VERSION_COLUMNS = "v.*, a.*"
_TEXTS = "concat_ws(E'\\n', match_string, trap_oid, description) ILIKE {}"

NEWEST_FIRST = Sort("version", descending=True)
NO_RULE = "Rule not found"
IMPORT_S = 40.0
"""Ten thousand rules take a few seconds."""


class RuleStore:
    """Reads and changes rules one by one, and adds many at once. Raises StoreUnavailable.

    Rules that come in must have passed `rule_from_mapping` and `check_patterns`. `expected` is the version that the
    author looked at: another one is Outdated; None means whatever stands there.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def page(self, query: RuleQuery, *, after: Place | None, limit: int) -> Page[StoredRule]:
        async with self._transactions.reading() as connection:
            rows, place = await _select(query).page(connection, query.sort, "id", after=after, limit=limit)
        return Page(tuple(map(_stored, rows)), place)

    async def every(self) -> list[StoredRule]:
        """All that are not retired, in rank order."""
        async with self._transactions.reading() as connection:
            text = f"SELECT {_SHOWN} FROM alert_rules WHERE retired_at IS NULL ORDER BY priority, id"  # noqa: S608 - constants
            return [_stored(row) for row in await connection.fetch(text)]

    async def get(self, rule_id: int) -> StoredRule:
        """Raises NotFound; a retired rule is found, and says so."""
        async with self._transactions.reading() as connection:
            row = await connection.fetchrow(f"SELECT {_SHOWN} FROM alert_rules WHERE id = $1", rule_id)  # noqa: S608 - constants
        return _stored(_found(row))

    async def create(self, rule: Rule, author: Author) -> StoredRule:
        """The rule as it stands now, under the id that the database gave it."""
        async with self._transactions.writing(author) as connection:
            return _stored(await connection.fetchrow(INSERT + _RETURNING, _json([columns(rule)])))

    async def add_missing(self, rules: Sequence[Rule], author: Author) -> Imported:
        """Adds the rules that do not stand there word for word, all or none."""
        async with self._transactions.writing(author, answer_s=IMPORT_S) as connection:
            return await import_rules(connection, rules, author)

    async def update(self, rule: Rule, author: Author, *, expected: int | None) -> StoredRule:
        """Gives the rule of this id all that its author sets. Raises NotFound, also for a retired one, or Outdated."""
        async with self._transactions.writing(author) as connection:
            await _hold(connection, rule.id, expected)
            return _stored(await connection.fetchrow(_UPDATE, rule.id, _json(columns(rule))))

    async def retire(self, rule_id: int, author: Author, *, expected: int | None) -> None:
        """Takes the rule out of force; its versions stay. Raises NotFound or Outdated."""
        async with self._transactions.writing(author) as connection:
            await _hold(connection, rule_id, expected)
            await connection.execute("UPDATE alert_rules SET retired_at = now() WHERE id = $1", rule_id)

    async def restore(self, rule: Rule, author: Author, *, expected: int | None) -> StoredRule:
        """Like `update`, and brings a retired rule back into force."""
        async with self._transactions.writing(author) as connection:
            await _hold(connection, rule.id, expected, retired=True)
            return _stored(await connection.fetchrow(_UPDATE, rule.id, _json(columns(rule))))

    async def history(
        self, rule_id: int, *, after: Place | None, limit: int, sort: Sort = NEWEST_FIRST
    ) -> Page[RuleVersion]:
        """The versions of a rule. Raises NotFound."""
        select = Select(_VERSION_COLUMNS, _HISTORY)
        select.where("rule_id = {}", rule_id)
        async with self._transactions.reading() as connection:
            rows, place = await select.page(connection, sort, "version", after=after, limit=limit)
            if not rows and after is None:
                raise NotFound(NO_RULE)
        return Page(tuple(map(_version, rows)), place)

    async def version(self, rule_id: int, version: int) -> RuleVersion:
        """Raises NotFound."""
        text = f"SELECT {_VERSION_COLUMNS} FROM {_HISTORY} WHERE rule_id = $1 AND version = $2"  # noqa: S608 - constants
        async with self._transactions.reading() as connection:
            return _version(_found(await connection.fetchrow(text, rule_id, version), "that rule has no such version"))


def _select(query: RuleQuery) -> Select:
    select = Select(_SHOWN, "alert_rules")
    select.require(f"retired_at IS {'NOT ' if query.retired else ''}NULL")
    select.where("match_type = {}", query.match_type)
    select.where("mode = {}", query.mode)
    select.where("is_active = {}", query.is_active)
    select.where("(prod_handling = {} OR dev_handling = {})", query.handling)
    select.where("team_assignment = {}", query.team_assignment)
    select.where(_TEXTS, containing(query.text) if query.text is not None else None)
    return select


async def _hold(connection: Any, rule_id: int, expected: int | None, *, retired: bool = False) -> None:
    """Locks the rule until the transaction ends."""
    row = await connection.fetchrow("SELECT version, retired_at FROM alert_rules WHERE id = $1 FOR UPDATE", rule_id)
    if row is None or (row["retired_at"] is not None and not retired):
        raise NotFound(NO_RULE)
    if expected is not None and row["version"] != expected:
        raise Outdated(f"rule {rule_id} is at version {row['version']} now, not {expected}")


def _found(row: Any, why: str = NO_RULE) -> Any:
    if row is None:
        raise NotFound(why)
    return row


def _stored(row: Any) -> StoredRule:
    return StoredRule(rule_of(row), row["updated_at"], row["retired_at"])


def _version(row: Any) -> RuleVersion:
    body = json.loads(row["body"])
    return RuleVersion(
        rule=rule_of(body),
        retired=body["retired_at"] is not None,
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
        client_id=row["client_id"],
        operation=row["operation"] or "CREATE",
        reason=row["reason"],
        correlation_id=row["correlation_id"],
        request_id=row["request_id"],
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
