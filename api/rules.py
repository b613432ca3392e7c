"""/api/v2/rules: rules one by one: list, show, create, replace, patch, retire; their history, and back in it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, lists, preconditions, versioned
from api.authors import author_of
from api.cursors import Cursors
from api.lists import Listing
from api.metrics import ApiMetrics
from api.pattern_guard import PatternGuard
from api.preconditions import IF_MATCH, IF_NONE_MATCH
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, Problem
from api.queries import QueryReader, text_up_to
from api.reasons import WHY, Reason, reason_asked
from api.routes import JSON, ApiRoute, Parameter
from api.rule_bodies import (
    RULE_FIELDS,
    NewRule,
    ShownRule,
    TeamName,
    author_fields,
    check_pattern,
    read_rule,
    shown_rule,
)
from schemas.rule_fields import MATCH_STRING_LIMIT, TEAM_LIMIT
from schemas.rules import AlertSeverity, Handling, MatchType, Mode, Rule, SeverityMatch
from schemas.scopes import Scope
from streams.adapters.rule_store import NO_RULE, RuleStore
from streams.core.rule_book import RuleQuery, RuleVersion, StoredRule

PATH = "/api/v2/rules"
ONE = PATH + "/{id:int}"
LARGEST_ID = 2**31 - 1
MERGE_PATCH = "application/merge-patch+json"

Text = Annotated[str, text_up_to(MATCH_STRING_LIMIT)]

RULES = Listing(
    item=ShownRule,
    sorts={"priority": "priority", "id": "id", "updated_at": "updated_at"},
    default="priority",
    filters=(
        Parameter("match_type", "Rules of this type.", MatchType),
        Parameter("mode", "Rules of this mode.", Mode),
        Parameter("is_active", "Rules that are switched on, or off.", bool),
        Parameter("handling", "Rules with this handling, on production or development hosts.", Handling),
        Parameter("team_assignment", "Rules that name this team.", TeamName),
        Parameter("q", "Part of match string, OID or description, in any case.", Text, example="link"),
        Parameter("retired", "`true`: those that were deleted, and no others.", bool),
    ),
)


class ShownVersion(Struct, frozen=True, kw_only=True):
    """A rule as one change left it, and that change."""

    version: int
    changed_at: dt.datetime
    changed_by: str
    client_id: str | None
    operation: str
    reason: str | None
    correlation_id: str | None
    request_id: str | None
    retired: bool
    rule: dict[str, Any]
    """What its author set."""


HISTORY = Listing(item=ShownVersion, sorts={"version": "version"}, default="-version")


class RulePatch(Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON Merge Patch (RFC 7396): what is named is changed, `null` takes a member back to its default."""

    match_type: MatchType | None = None
    match_string: Text | None = None
    trap_oid: str | None = None
    syslog_severity: int | None = None
    severity_match: SeverityMatch | None = None
    priority: int | None = None
    prod_handling: Handling | None = None
    dev_handling: Handling | None = None
    team_assignment: TeamName | None = None
    alert_severity: AlertSeverity | None = None
    description: str | None = None
    is_active: bool | None = None
    mode: Mode | None = None
    reason: Reason | None = None


class Restoration(Struct, forbid_unknown_fields=True):
    """Which version becomes the newest again."""

    version: Annotated[int, Meta(ge=1, le=LARGEST_ID)]
    reason: Reason | None = None


EXAMPLE = {
    "match_string": "link down",
    "prod_handling": "Page_and_ticket",
    "dev_handling": "Log_only",
    "team_assignment": "netops",
    "reason": "new site",
}


class Rules:
    def __init__(self, rules: RuleStore, patterns: PatternGuard, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._rules = rules
        self._patterns = patterns
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.RULES_READ, Scope.RULES_WRITE
        changes: dict[str, Any] = {"headers": (IF_MATCH,), "errors": (404, 412, 428)}
        return (
            ApiRoute(method="GET", path=PATH, endpoint=self.list, scope=read, summary="Rules, in rank order",
                     query=RULES.query, answer=RULES.answer, errors=(400,)),
            ApiRoute(method="POST", path=PATH, endpoint=self.create, scope=write, summary="A new rule",
                     body=NewRule, example=EXAMPLE, answer=ShownRule, status=201),
            ApiRoute(method="GET", path=ONE, endpoint=self.show, scope=read, summary="One rule",
                     description="A retired rule is shown too, with `retired_at`.", answer=ShownRule,
                     headers=(IF_NONE_MATCH,), errors=(304, 404)),
            ApiRoute(method="PUT", path=ONE, endpoint=self.replace, scope=write,
                     summary="All that the author of a rule sets", description="Members left out take their default.",
                     body=NewRule, example=EXAMPLE, answer=ShownRule, **changes),
            ApiRoute(method="PATCH", path=ONE, endpoint=self.patch, scope=write, summary="Some members of a rule",
                     body=RulePatch, accepts=(MERGE_PATCH, JSON), example={"priority": 10}, answer=ShownRule,
                     **changes),
            ApiRoute(method="DELETE", path=ONE, endpoint=self.retire, scope=write,
                     summary="A rule retired: it decides no more, its versions stay", query=(WHY,), status=204,
                     **changes),
            ApiRoute(method="GET", path=ONE + "/history", endpoint=self.history, scope=read,
                     summary="Every version of a rule, with who made it and why", query=HISTORY.query,
                     answer=HISTORY.answer, errors=(400, 404)),
            ApiRoute(method="POST", path=ONE + "/restore", endpoint=self.restore, scope=write,
                     summary="An old version as the newest one, of a retired rule too", body=Restoration,
                     example={"version": 1, "reason": "it was right"}, answer=ShownRule, **changes),
        )  # fmt: skip

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        filters = _filters(reader)
        asked = lists.asked(request, reader, RULES, self._cursors)
        with self._metrics.timed("rules"):
            page = await self._rules.page(RuleQuery(**filters, sort=asked.sort), after=asked.after, limit=asked.limit)
        return lists.answer(asked, map(shown_rule, page.items), page.next, self._cursors)

    async def create(self, request: Request) -> Response:
        rule, reason = await self._read(request)
        await check_pattern(self._patterns, rule)
        with self._metrics.timed("rule_change"):
            stored = await self._rules.create(rule, author_of(request, reason))
        return versioned.made(shown_rule(stored), stored.rule.version, PATH, stored.rule.id)

    async def show(self, request: Request) -> Response:
        with self._metrics.timed("rules"):
            stored = await self._rules.get(rule_id(request))
        return versioned.found(request, shown_rule(stored), stored.rule.version)

    async def replace(self, request: Request) -> Response:
        stored = await self._in_force(request)
        rule, reason = await self._read(request, stored.rule.id)
        return await self._update(request, stored, rule, reason)

    async def patch(self, request: Request) -> Response:
        stored = await self._in_force(request)
        change = bodies.parsed(await bodies.read_bytes(request))
        if not isinstance(change, dict):
            raise Invalid([Fault("a merge patch of a rule is an object", pointer="")])
        merged = merge(author_fields(stored.rule), change)
        rule, reason = _rule_in(merged, stored.rule.id)
        return await self._update(request, stored, rule, reason)

    async def retire(self, request: Request) -> Response:
        reason = reason_asked(request)
        stored = await self._in_force(request)
        with self._metrics.timed("rule_change"):
            await self._rules.retire(stored.rule.id, author_of(request, reason), expected=stored.rule.version)
        return Response(status_code=204)

    async def history(self, request: Request) -> Response:
        asked = lists.asked(request, QueryReader(request.query_params), HISTORY, self._cursors)
        with self._metrics.timed("rules"):
            page = await self._rules.history(rule_id(request), sort=asked.sort, after=asked.after, limit=asked.limit)
        return lists.answer(asked, map(_shown_version, page.items), page.next, self._cursors)

    async def restore(self, request: Request) -> Response:
        stored = await self._rules.get(rule_id(request))
        preconditions.required(request, stored.rule.version)
        wanted = await bodies.read(request, Restoration)
        old = await self._rules.version(stored.rule.id, wanted.version)
        # Bounds and dialect may have become narrower since.
        rule, _ = _rule_in(author_fields(old.rule), stored.rule.id)
        await check_pattern(self._patterns, rule)
        with self._metrics.timed("rule_change"):
            author = author_of(request, wanted.reason)
            return _now(await self._rules.restore(rule, author, expected=stored.rule.version))

    async def _in_force(self, request: Request) -> StoredRule:
        """The rule that a write means. Raises NotFound, or Problem: 412, 428."""
        stored = await self._rules.get(rule_id(request))
        if stored.retired_at is not None:
            raise Problem(ProblemType.NOT_FOUND, NO_RULE)
        preconditions.required(request, stored.rule.version)
        return stored

    async def _read(self, request: Request, id: int = 0) -> tuple[Rule, str | None]:
        return _rule_in(bodies.parsed(await bodies.read_bytes(request)), id)

    async def _update(self, request: Request, stored: StoredRule, rule: Rule, reason: str | None) -> Response:
        await check_pattern(self._patterns, rule, stored.rule)
        with self._metrics.timed("rule_change"):
            author = author_of(request, reason)
            return _now(await self._rules.update(rule, author, expected=stored.rule.version))


def rule_id(request: Request) -> int:
    """Of the path. Raises Problem (404)."""
    found: int = request.path_params["id"]
    if found > LARGEST_ID:
        raise Problem(ProblemType.NOT_FOUND, NO_RULE)
    return found


def merge(there: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396 for an object without objects in it. What is no member of a rule stays, to be refused."""
    merged = there | change
    return {name: value for name, value in merged.items() if value is not None or name not in RULE_FIELDS}


def _rule_in(data: object, id: int) -> tuple[Rule, str | None]:
    """Raises Invalid."""
    faults: list[Fault] = []
    rule = read_rule(data, faults, id=id, body=NewRule)
    if rule is None:
        raise Invalid(faults)
    assert isinstance(data, dict)
    return rule, data.get("reason")


def _filters(reader: QueryReader) -> dict[str, Any]:
    return {
        "match_type": reader.choice("match_type", tuple(MatchType)),
        "mode": reader.choice("mode", tuple(Mode)),
        "handling": reader.choice("handling", tuple(Handling)),
        "is_active": reader.switch("is_active"),
        "team_assignment": reader.text("team_assignment", longest=TEAM_LIMIT),
        "text": reader.text("q", longest=MATCH_STRING_LIMIT),
        "retired": reader.switch("retired") or False,
    }


def _shown_version(version: RuleVersion) -> ShownVersion:
    return ShownVersion(
        version=version.rule.version,
        changed_at=version.changed_at,
        changed_by=version.changed_by,
        client_id=version.client_id,
        operation=version.operation,
        reason=version.reason,
        correlation_id=version.correlation_id,
        request_id=version.request_id,
        retired=version.retired,
        rule=author_fields(version.rule),
    )


def _now(stored: StoredRule) -> Response:
    return versioned.now(shown_rule(stored), stored.rule.version)
