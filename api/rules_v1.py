"""/api/v1/rules in the documented v1 shape: ten columns, messages, no conditions."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies
from api.authors import author_of
from api.metrics import ApiMetrics
from api.pattern_guard import PatternGuard
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, JsonResponse, Problem
from api.reasons import Reason, reason_sent
from api.routes import ApiRoute
from api.rule_bodies import (
    HandlingWord,
    Priority,
    Severity,
    TeamName,
    author_fields,
    check_pattern,
    read_rule,
    words,
)
from api.rules import rule_id
from schemas.errors import Outdated
from schemas.json_faults import faults_in
from schemas.rules import MatchType, Rule
from schemas.scopes import Scope
from streams.adapters.rule_store import NO_RULE, RuleStore
from streams.core.rule_book import StoredRule

PATH = "/api/v1/rules"
ONE = PATH + "/{id:int}"
SUCCESSOR = "/api/v2/rules"

COLUMN = 255
"""Characters of v1's text columns."""
REQUIRED = ("prod_handling", "dev_handling", "team_assignment")
NOTHING_TESTED = "Either match_string or trap_oid is required"
NOTHING_GIVEN = "No fields to update"
TRIES = 3
"""How often a change is made anew because another one came between."""

Column = Annotated[str, Meta(min_length=1, max_length=COLUMN)]


class RuleV1(Struct, frozen=True, kw_only=True):
    """A rule in its ten columns."""

    id: int
    match_string: str | None
    trap_oid: str | None
    syslog_severity: int | None
    match_type: MatchType
    priority: int
    prod_handling: str
    dev_handling: str
    team_assignment: str | None
    is_active: bool


class RuleChangeV1(Struct, forbid_unknown_fields=True, kw_only=True):
    """Any of the columns. An `id` is ignored."""

    match_string: Column | None = None
    trap_oid: Column | None = None
    syslog_severity: Severity | None = None
    match_type: Annotated[str, words(MatchType)] = MatchType.CONTAINS
    priority: Priority = 100
    prod_handling: HandlingWord | None = None
    dev_handling: HandlingWord | None = None
    team_assignment: TeamName | None = None
    is_active: bool = True
    reason: Reason | None = None


class NewRuleV1(RuleChangeV1, forbid_unknown_fields=True, kw_only=True):
    """A rule; it needs handling and team, and a match_string or trap_oid."""

    prod_handling: HandlingWord
    dev_handling: HandlingWord
    team_assignment: TeamName


class RulesV1Answer(Struct, frozen=True):
    rules: list[RuleV1]


class MadeV1(Struct, frozen=True):
    id: int
    message: str


class Message(Struct, frozen=True):
    message: str


COLUMNS = RuleChangeV1.__struct_fields__[:-1]
EXAMPLE = {"match_string": "link down", "prod_handling": "Page_only", "dev_handling": "Log_only",
           "team_assignment": "netops"}  # fmt: skip


class RulesV1:
    def __init__(self, rules: RuleStore, patterns: PatternGuard, metrics: ApiMetrics) -> None:
        self._rules = rules
        self._patterns = patterns
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.RULES_READ, Scope.RULES_WRITE
        one = SUCCESSOR + "/{id}"
        return (
            ApiRoute(method="GET", path=PATH, endpoint=self.list, scope=read, summary="All rules, by priority and id",
                     answer=RulesV1Answer, successor=SUCCESSOR),
            ApiRoute(method="POST", path=PATH, endpoint=self.create, scope=write, summary="A new rule",
                     body=NewRuleV1, example=EXAMPLE, answer=MadeV1, status=201, successor=SUCCESSOR),
            ApiRoute(method="GET", path=ONE, endpoint=self.show, scope=read, summary="One rule", answer=RuleV1,
                     errors=(404,), successor=one),
            ApiRoute(method="PUT", path=ONE, endpoint=self.update, scope=write, summary="Some columns of a rule",
                     body=RuleChangeV1, example={"priority": 10}, answer=Message, errors=(404,), successor=one),
            ApiRoute(method="DELETE", path=ONE, endpoint=self.delete, scope=write, summary="A rule retired",
                     description="A body with a `reason` may come with it.", answer=Message, errors=(400, 404, 422),
                     successor=one),
        )  # fmt: skip

    async def list(self, request: Request) -> Response:
        with self._metrics.timed("rules"):
            every = await self._rules.every()
        return JsonResponse(RulesV1Answer(list(map(_shown, every))))

    async def create(self, request: Request) -> Response:
        data = await _object(request)
        if missing := [name for name in REQUIRED if data.get(name) is None]:
            raise Problem(ProblemType.MALFORMED, f"Missing required fields: {missing}")
        if data.get("match_string") is None and data.get("trap_oid") is None:
            raise Problem(ProblemType.MALFORMED, NOTHING_TESTED)
        if data.get("match_string") is None:
            data.setdefault("match_type", MatchType.OID_PREFIX)
        rule = _rule_in(data, data)
        await check_pattern(self._patterns, rule)
        with self._metrics.timed("rule_change"):
            stored = await self._rules.create(rule, author_of(request, data.get("reason")))
        return JsonResponse(MadeV1(stored.rule.id, "Rule created successfully"), 201)

    async def show(self, request: Request) -> Response:
        return JsonResponse(_shown(await self._current(request)))

    async def update(self, request: Request) -> Response:
        data = await _object(request)
        if not data.keys() & set(COLUMNS):
            _refuse(data)
            raise Problem(ProblemType.MALFORMED, NOTHING_GIVEN)
        for _ in range(TRIES - 1):
            try:
                return await self._update(request, data)
            except Outdated:
                continue  # v1 knows no versions: its change is made on what stands there now
        return await self._update(request, data)

    async def _update(self, request: Request, data: dict[str, Any]) -> Response:
        old = (await self._current(request)).rule
        given = {name: value for name, value in data.items() if name in COLUMNS}
        rule = _rule_in(data, author_fields(old) | given, id=old.id)
        await check_pattern(self._patterns, rule, old)
        with self._metrics.timed("rule_change"):
            await self._rules.update(rule, author_of(request, data.get("reason")), expected=old.version)
        return JsonResponse(Message("Rule updated successfully"))

    async def delete(self, request: Request) -> Response:
        reason = await reason_sent(request)
        with self._metrics.timed("rule_change"):
            await self._rules.retire(rule_id(request), author_of(request, reason), expected=None)
        return JsonResponse(Message("Rule deleted successfully"))

    async def _current(self, request: Request) -> StoredRule:
        with self._metrics.timed("rules"):
            stored = await self._rules.get(rule_id(request))
        if stored.retired_at is not None:
            raise Problem(ProblemType.NOT_FOUND, NO_RULE)
        return stored


async def _object(request: Request) -> dict[str, Any]:
    data = bodies.parsed(await bodies.read_bytes(request))
    if not isinstance(data, dict):
        raise Problem(ProblemType.MALFORMED, "the body must be a JSON object")
    data.pop("id", None)
    return data


def _refuse(data: dict[str, Any]) -> None:
    """Raises Invalid for what v1 has no column for, or of a wrong type."""
    bodies.typed(data, RuleChangeV1)


def _rule_in(data: dict[str, Any], merged: dict[str, Any], *, id: int = 0) -> Rule:
    """The rule that was given in full or merged with the old one; what v1 does not know stays as it was."""
    faults = [Fault(fault.detail, pointer=fault.pointer) for fault in faults_in(data, RuleChangeV1)]
    named = {fault.pointer for fault in faults}
    more: list[Fault] = []
    rule = read_rule({name: value for name, value in merged.items() if name != "reason"}, more, id=id)
    faults += [fault for fault in more if fault.pointer not in named]
    if faults or rule is None:
        raise Invalid(faults)
    return rule


def _shown(stored: StoredRule) -> RuleV1:
    rule = stored.rule
    return RuleV1(id=rule.id, **{name: getattr(rule, name) for name in COLUMNS})
