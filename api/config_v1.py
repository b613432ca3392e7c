"""/api/v1/config and its history, audit and config-audit in the documented v1 shapes: text, and numbered pages."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies
from api.audit_logs import LAST_PAGE, Pagination
from api.audit_logs import QUERY as LOG_QUERY
from api.authors import author_of
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, JsonResponse, Problem
from api.queries import DayOrInstant, QueryReader, text_up_to
from api.reasons import Reason
from api.routes import ApiRoute, Parameter
from schemas.config import Value
from schemas.config_values import parse_value, to_text
from schemas.errors import ConfigRefused
from schemas.scopes import Scope
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.core.config_audit import ConfigAuditQuery, ConfigChange
from streams.core.config_keys import standing, standings

PATH = "/api/v1/config"
DEFAULT_LIMIT = 50
MOST = 200
"""A larger `limit` counts as this."""
LARGEST_ID = 2**31 - 1
TABLES = ("alert_rules", "dynamic_config", "development_hosts", "device_teams")
OPERATIONS = ("CREATE", "UPDATE", "DELETE")
KNOWN = ConfigAuditQuery(tables=TABLES, operations=OPERATIONS)
"""What v1 tells of: objects and operations that came later are in v2."""

Name = Annotated[str, text_up_to(255)]
PAGES = LOG_QUERY[:2]
FILTERS = (
    *PAGES,
    Parameter("changed_by", "Part of who changed it, in any case.", Name),
    Parameter("operation", "In any case.", Annotated[str, Meta(extra_json_schema={"enum": list(OPERATIONS)})]),
    Parameter("table_name", "Objects of this kind.", Annotated[str, Meta(extra_json_schema={"enum": list(TABLES)})]),
    Parameter("record_id", "One object.", Annotated[int, Meta(ge=0, le=LARGEST_ID)]),
    Parameter("start_date", "Not before this; inclusive.", DayOrInstant, example="2026-03-01"),
    Parameter("end_date", "Not after this; inclusive.", DayOrInstant),
)


class ConfigV1(Struct, frozen=True):
    config: dict[str, str]


class ValueV1(Struct, forbid_unknown_fields=True):
    value: Value
    reason: Reason | None = None


class ChangedV1(Struct, frozen=True):
    key: str
    old_value: str | None
    new_value: str


class _ChangeV1(Struct, frozen=True, kw_only=True):
    id: int
    changed_by: str
    operation: str
    table_name: str
    record_id: int
    old_values: dict[str, Any] | None
    new_values: dict[str, Any] | None
    reason: str | None
    correlation_id: str | None


class ChangeV1(_ChangeV1, frozen=True, kw_only=True):
    """One change; an update holds the members that it changed."""

    changed_at: dt.datetime


class HistoryV1(_ChangeV1, frozen=True, kw_only=True):
    """The same, as the history of the configuration calls it."""

    created_at: dt.datetime


class ConfigHistoryV1(Struct, frozen=True):
    history: list[HistoryV1]
    pagination: Pagination


class AuditV1(Struct, frozen=True):
    logs: list[ChangeV1]
    pagination: Pagination


class ConfigAuditV1(Struct, frozen=True):
    changes: list[ChangeV1]
    pagination: Pagination


class ConfigOfV1:
    def __init__(self, keys: ConfigStore, audit: ConfigAudit, metrics: ApiMetrics) -> None:
        self._keys = keys
        self._audit = audit
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        changes, audit = "/api/v2/config-audit", Scope.AUDIT_READ
        return (
            ApiRoute(method="GET", path=PATH, endpoint=self.list, scope=Scope.CONFIG_READ,
                     summary="Every key, its value in force as text", answer=ConfigV1, successor="/api/v2/config"),
            ApiRoute(method="GET", path=PATH + "/history", endpoint=self.history, scope=audit, query=PAGES,
                     summary="Changes of keys, newest first", answer=ConfigHistoryV1, successor=changes),
            ApiRoute(method="PUT", path=PATH + "/{key}", endpoint=self.put, scope=Scope.CONFIG_WRITE,
                     summary="Another value for a key", body=ValueV1, example={"value": "30"}, answer=ChangedV1,
                     successor="/api/v2/config/{key}"),
            ApiRoute(method="GET", path="/api/v1/audit", endpoint=self.audit, scope=audit, query=FILTERS,
                     summary="Changes of rules, hosts, teams and keys, newest first", answer=AuditV1,
                     successor=changes),
            ApiRoute(method="GET", path="/api/v1/config-audit", endpoint=self.changes, scope=audit, query=FILTERS,
                     summary="The same under its other name", answer=ConfigAuditV1, successor=changes),
        )  # fmt: skip

    async def list(self, request: Request) -> Response:
        with self._metrics.timed("config"):
            stored = await self._keys.stored()
        return JsonResponse(ConfigV1({one.key.name: to_text(one.value) for one in standings(stored)}))

    async def put(self, request: Request) -> Response:
        name = request.path_params["key"]
        data = bodies.parsed(await bodies.read_bytes(request))
        if isinstance(data, dict) and data.get("value") is None:
            raise Problem(ProblemType.MALFORMED, "Missing required fields: ['value']")
        new = bodies.typed(data, ValueV1, ignored=("id",))
        text = _text_of(name, new.value)
        with self._metrics.timed("config_change"):
            before = standing(name, await self._keys.stored())
            await self._keys.change({name: text}, author_of(request, new.reason))
        return JsonResponse(ChangedV1(name, to_text(before.value) if before else None, text))

    async def history(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        query = replace(KNOWN, tables=("dynamic_config",))
        found, pagination, headers = await self._page(reader, query)
        history = [HistoryV1(created_at=change.changed_at, **_shown(change)) for change in found]
        return JsonResponse(ConfigHistoryV1(history, pagination), headers=headers)

    async def audit(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        found, pagination, headers = await self._page(reader, read_query(reader))
        return JsonResponse(AuditV1(_changes(found), pagination), headers=headers)

    async def changes(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        found, pagination, headers = await self._page(reader, read_query(reader))
        return JsonResponse(ConfigAuditV1(_changes(found), pagination), headers=headers)

    async def _page(
        self, reader: QueryReader, query: ConfigAuditQuery
    ) -> tuple[tuple[ConfigChange, ...], Pagination, dict[str, str]]:
        number = reader.whole("page", 1, high=LAST_PAGE)
        limit = min(reader.whole("limit", DEFAULT_LIMIT), MOST)
        reader.finish()
        with self._metrics.timed("config_audit"):
            page = await self._audit.numbered(query, page=number, limit=limit)
        pagination = Pagination(number, limit, page.total, pages=-(-page.total // limit))
        return page.items, pagination, {"X-Total-Estimated": "true"} if page.estimated else {}


def read_query(reader: QueryReader) -> ConfigAuditQuery:
    """The filters; what is wrong with them is the reader's to tell."""
    operation = reader.choice("operation", OPERATIONS, any_case=True)
    table = reader.choice("table_name", TABLES)
    start, end = reader.start("start_date"), reader.end("end_date")
    if start and end and start > end:
        reader.refuse("start_date must not lie after end_date", "start_date")
    return ConfigAuditQuery(
        actor=reader.text("changed_by", longest=255),
        operations=(operation,) if operation else OPERATIONS,
        tables=(table,) if table else TABLES,
        record_id=reader.optional_whole("record_id", low=0, high=LARGEST_ID),
        start=start,
        end=end,
    )


def _text_of(name: str, value: Value) -> str:
    """v1 takes text for every type. Raises Invalid."""
    try:
        return to_text(parse_value(name, to_text(value)))
    except ConfigRefused as refused:
        raise Invalid([Fault(problem, pointer="/value") for problem in refused.problems]) from None


def _changes(found: tuple[ConfigChange, ...]) -> list[ChangeV1]:
    return [ChangeV1(changed_at=change.changed_at, **_shown(change)) for change in found]


def _shown(change: ConfigChange) -> dict[str, Any]:
    return {
        "id": change.id,
        "changed_by": change.changed_by,
        "operation": change.operation,
        "table_name": change.table,
        "record_id": change.record_id,
        "old_values": change.before,
        "new_values": change.after,
        "reason": change.reason,
        "correlation_id": change.correlation_id,
    }
