"""Searches in audit rows and alerts: which index leads, and what is only looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.alerts import AlertState
from schemas.events import Disposition
from streams.adapters.archives import SIDE
from streams.adapters.scans import Asked, Branch, Scan, Term
from streams.adapters.selects import containing
from streams.adapters.transactions import Transactions
from streams.core.paging import Page
from streams.core.searches import SHOWN_MESSAGE, AuditSearch, DeliverySearch, Row, Stretch

AUDIT = Scan("audit", "broker_time", ("topic", "partition", '"offset"'), before=("", -1, -1))
DELIVERIES = Scan("alerts", "created_at", ("id",), before=("00000000-0000-0000-0000-000000000000",))

_AUDIT_SQL = {"message": f"left(message, {SHOWN_MESSAGE}) AS message"}
_DELIVERY_COLUMNS = (
    "kind", "topic", "partition", '"offset"', "broker_time", "hostname", "severity", "rule_id", "rule_version", "team",
    "handling", "state", "attempts", "last_status", "last_error", "published_at", "first_attempt_at",
    "last_attempt_at", "settled_at",
)  # fmt: skip

_OF_ALERT = (
    '(topic, partition, "offset", broker_time)'
    ' = (SELECT a.topic, a.partition, a."offset", a.broker_time FROM alerts a WHERE a.id = {})'
)

_RESTORED = f"""
SELECT quote_ident('{SIDE}' || name) AS name FROM retention_archives
 WHERE kind = 'audit' AND state IN ('detached', 'removed') AND to_regclass(quote_ident('{SIDE}' || name)) IS NOT NULL
 ORDER BY name
"""  # noqa: S608 - a constant


class PostgresSearches:
    """Implements the Searches port."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def audit(self, search: AuditSearch) -> Page[Row]:
        branches, rest = _audit_terms(search)
        async with self._transactions.reading() as connection:
            return await page(
                connection,
                AUDIT,
                search.stretch,
                branches,
                rest,
                columns=[_AUDIT_SQL.get(name, name) for name in search.columns],
                beside=await _restored(connection) if search.restored else (),
            )

    async def deliveries(self, search: DeliverySearch) -> Page[Row]:
        terms = given(hostname=search.hostname, rule_id=search.rule_id, team=search.team)
        lead: list[Term] = []
        if search.state is AlertState.DELIVERED:
            terms.append(("state = {}", search.state.value))
        elif search.state is not None:
            lead.append((f"state = '{search.state.value}' AND {{}}", True))  # as the partial indexes have it
        async with self._transactions.reading() as connection:
            return await page(connection, DELIVERIES, search.stretch, [lead], terms, columns=_DELIVERY_COLUMNS)


async def page(
    connection: Any, scan: Scan, stretch: Stretch, branches: list[list[Term]], rest: list[Term], *,
    columns: Any, beside: Sequence[str] = (),
) -> Page[Row]:  # fmt: skip
    """One page of a scan within its stretch of time, and of the tables beside it."""
    bounds: list[Term] = []
    if stretch.since is not None:
        bounds.append((f"{scan.time} >= {{}}", stretch.since))
    if stretch.until is not None:
        bounds.append((f"{scan.time} < {{}}", stretch.until))
    timed: list[Branch] = [[*branch, *bounds] for branch in branches]
    asked = Asked(timed, rest, after=stretch.after, descending=stretch.descending, beside=beside)
    rows, behind = await scan.page(connection, asked, columns=columns, limit=stretch.limit)
    return Page(tuple(rows), behind)


async def _restored(connection: Any) -> list[str]:
    """The side tables of archived audit rows that are no longer in the audit itself."""
    return [row["name"] for row in await connection.fetch(_RESTORED)]


def given(**equal: Any) -> list[Term]:
    """Terms for columns that must equal a value; None means: not asked for."""
    return [(f"{column} = {{}}", value) for column, value in equal.items() if value is not None]


def _audit_terms(search: AuditSearch) -> tuple[list[list[Term]], list[Term]]:
    """The branches that an index answers, and the rest. Of several filters the one that says most leads."""
    terms = given(hostname=search.hostname, rule_id=search.rule_id, disposition=search.disposition)
    if search.text is not None:
        terms.append(("message ILIKE {}", containing(search.text)))
    if search.alert_id is not None:
        return [[(_OF_ALERT, search.alert_id)]], [("alert_id = {}", search.alert_id), *terms]
    if search.hostname is None and search.rule_id is None and search.disposition is None:
        return [[("disposition = {}", one.value)] for one in Disposition], terms
    return [terms[:1]], terms[1:]
