"""POST /api/v2/rules/check: what is wrong with a rule while it is written; nothing is decided, nothing is saved."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies
from api.pattern_guard import PatternGuard
from api.problems import Fault, Invalid, JsonResponse
from api.routes import ApiRoute
from api.rule_bodies import RuleBody, check_pattern, read_rule
from api.rules import PATH
from schemas.scopes import Scope
from streams.adapters.patterns import pattern_warnings


class CheckAnswer(Struct, frozen=True):
    """The rule could be saved."""

    warnings: list[str]
    """What is probably not meant in its pattern."""


class RuleCheck:
    def __init__(self, patterns: PatternGuard) -> None:
        self._patterns = patterns

    def routes(self) -> tuple[ApiRoute, ...]:
        post = ApiRoute(
            method="POST",
            path=PATH + "/check",
            endpoint=self.post,
            scope=Scope.RULES_READ,
            summary="Whether a rule could be saved, and what it probably does not mean",
            description="Where it could not, `errors` has every fault; that of a pattern has its `position`.",
            body=RuleBody,
            example={"match_type": "regex", "match_string": "fan [0-9]", "prod_handling": "Ticket_only",
                     "dev_handling": "Ignore"},
            answer=CheckAnswer,
        )  # fmt: skip
        return (post,)

    async def post(self, request: Request) -> Response:
        faults: list[Fault] = []
        rule = read_rule(bodies.parsed(await bodies.read_bytes(request)), faults)
        if rule is None:
            raise Invalid(faults)
        await check_pattern(self._patterns, rule)
        return JsonResponse(CheckAnswer(pattern_warnings(rule)))
