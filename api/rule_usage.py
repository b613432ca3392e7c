"""GET /api/v2/rules/usage: how often rules decided, when they did last, and which of them never can."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api.fresh import Fresh
from api.gate import Now
from api.metrics import ApiMetrics
from api.problems import Fault, Invalid, JsonResponse
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from api.rules import LARGEST_ID, PATH
from schemas.rules import Handling, Rule
from schemas.scopes import Scope
from streams.adapters.rule_store import RuleStore
from streams.adapters.rule_usage import MOST_HITS, RuleUsage, Usage
from streams.core.rule_book import StoredRule
from streams.core.shadows import shadow_of

MOST_IDS = 200
HOLDS_S = 5.0
"""For how long the rules that others are compared with are taken as they were."""
_IDS = re.compile(r"[0-9]{1,10}(,[0-9]{1,10})*")

Ids = Annotated[str, Meta(pattern=r"^[0-9]{1,10}(,[0-9]{1,10})*$", max_length=11 * MOST_IDS)]


class Used(Struct, frozen=True, kw_only=True):
    """What one rule decided, as far as its events are audited: an event that is ignored leaves no row."""

    rule_id: int
    last_day: int
    last_30_days: int
    """Both are counted up to `most`; one more than that says that there are more."""
    last_hit_at: dt.datetime | None
    """Null where no event of it is in the audit any more, or ever was."""
    counts_all: bool
    """False where a handling of the rule is Ignore."""
    shadowed_by: int | None
    """A rule that ranks before it and matches all that it matches, so that it decides nothing."""


class Usages(Struct, frozen=True):
    most: int
    items: list[Used]


class RuleUsages:
    def __init__(self, usage: RuleUsage, rules: RuleStore, metrics: ApiMetrics, now: Now) -> None:
        self._usage = usage
        self._metrics = metrics
        self._now = now
        self._every: Fresh[list[StoredRule]] = Fresh(lambda: rules.every(), holds_s=HOLDS_S)

    def routes(self) -> tuple[ApiRoute, ...]:
        ids = Parameter(
            "ids", f"Ids of rules, with commas between, at most {MOST_IDS}.", Ids, required=True, example="1,2"
        )
        get = ApiRoute(
            method="GET",
            path=PATH + "/usage",
            endpoint=self.get,
            scope=Scope.RULES_READ,
            summary="How often rules decided in a day and in 30, when last, and which never can",
            description="An id that no rule in force has is left out.",
            query=(ids,),
            answer=Usages,
        )
        return (get,)

    async def get(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        text = reader.text("ids", longest=11 * MOST_IDS)
        reader.finish()
        ids = _ids(text)
        with self._metrics.timed("rule_usage"):
            every = [stored.rule for stored in await self._every.get()]
            chosen = [rule for rule in every if rule.id in ids]
            found = await self._usage.of([rule.id for rule in chosen], self._now())
        shadows = await asyncio.to_thread(_shadows, chosen, every)
        items = [_used(rule, found[rule.id], shadow) for rule, shadow in zip(chosen, shadows, strict=True)]
        return JsonResponse(Usages(MOST_HITS, items))


def _ids(text: str | None) -> frozenset[int]:
    """Raises Invalid."""
    if text is None or not _IDS.fullmatch(text):
        raise Invalid([Fault("must be ids of rules with commas between", parameter="ids")])
    ids = frozenset(map(int, text.split(",")))
    if len(ids) > MOST_IDS or max(ids) > LARGEST_ID:
        raise Invalid([Fault(f"must be at most {MOST_IDS} ids up to {LARGEST_ID}", parameter="ids")])
    return ids


def _shadows(chosen: Sequence[Rule], every: Sequence[Rule]) -> list[int | None]:
    found = (shadow_of(rule, every) for rule in chosen)
    return [shadow.id if shadow is not None else None for shadow in found]


def _used(rule: Rule, usage: Usage, shadow: int | None) -> Used:
    return Used(
        rule_id=rule.id,
        last_day=usage.day,
        last_30_days=usage.month,
        last_hit_at=usage.last,
        counts_all=Handling.IGNORE not in (rule.prod_handling, rule.dev_handling),
        shadowed_by=shadow,
    )
