"""POST /api/v2/rules/dry-run: what proposed rules would decide otherwise, over sample lines and events audited last."""

from __future__ import annotations

import asyncio
from time import monotonic

from starlette.requests import Request
from starlette.responses import Response

from api import bodies
from api.dry_run_answers import DryRunAnswer, DryRunView
from api.dry_run_orders import DryRun, read_proposal
from api.metrics import ApiMetrics
from api.pattern_guard import PatternGuard
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.routes import ApiRoute
from api.rule_bodies import pattern_faults, refuse_patterns
from api.rules import PATH
from api.turns import Turns
from schemas.errors import TooSlow
from schemas.scopes import Scope
from streams.adapters.audit_samples import AuditSamples
from streams.adapters.rule_store import NO_RULE, RuleStore
from streams.core.dry_run import Comparison, Proposal, proposed_set
from streams.core.matching import Knowledge

WITHIN_S = 30.0
WAITING = 8

EXAMPLE = {
    "rule": {"match_string": "link down", "prod_handling": "Ignore", "dev_handling": "Ignore", "priority": 1},
    "lines": ["<187>Mar  1 12:00:00 core-1 ifmgr: link down on ge-0/0/1"],
}


class RuleDryRun:
    """One at a time: compiling and deciding take the process's threads, not the loop."""

    def __init__(self, rules: RuleStore, samples: AuditSamples, patterns: PatternGuard, metrics: ApiMetrics) -> None:
        self._rules = rules
        self._samples = samples
        self._patterns = patterns
        self._metrics = metrics
        self._turns = Turns(1, waiting=WAITING, within_s=WITHIN_S)
        self._in_force: Knowledge | None = None

    def routes(self) -> tuple[ApiRoute, ...]:
        post = ApiRoute(
            method="POST",
            path=PATH + "/dry-run",
            endpoint=self.post,
            scope=Scope.RULES_READ,
            summary="Which decisions would change under other rules; nothing is saved",
            body=DryRun,
            example=EXAMPLE,
            answer=DryRunAnswer,
            errors=(404,),
        )
        return (post,)

    async def post(self, request: Request) -> Response:
        asked, proposal = await asyncio.to_thread(read_proposal, bodies.parsed(await bodies.read_bytes(request)))
        if asked.rule_id is not None and (await self._rules.get(asked.rule_id)).retired_at is not None:
            raise Problem(ProblemType.NOT_FOUND, NO_RULE)
        pointers = ["/rule"] if asked.rules is None else [f"/rules/{place}" for place, _ in enumerate(proposal.rules)]
        if proposal.rules:
            refuse_patterns(await pattern_faults(self._patterns, list(proposal.rules), pointers))
        async with self._turns.turn():
            return JsonResponse(await self._answer(asked, proposal))

    async def _answer(self, asked: DryRun, proposal: Proposal) -> DryRunAnswer:
        comparison, shown = await self._comparison(proposal)
        deadline = monotonic() + WITHIN_S
        lines = await asyncio.to_thread(shown.lines, comparison, asked.lines, asked.hostname)
        if asked.last:
            with self._metrics.timed("dry_run"):
                async for samples in self._samples.newest(asked.last):
                    if monotonic() > deadline:
                        raise TooSlow(f"{comparison.found.judged} events were decided over in {WITHIN_S:g} s")
                    await asyncio.to_thread(comparison.see, samples)
        audited = shown.differences(comparison) if asked.last else None
        return DryRunAnswer(ruleset_version=shown.version, lines=lines, audited=audited)

    async def _comparison(self, proposal: Proposal) -> tuple[Comparison, DryRunView]:
        rule_set, next_id = await self._samples.rules_in_force()
        follow = Knowledge.of if self._in_force is None else self._in_force.follow
        now = self._in_force = await asyncio.to_thread(follow, rule_set)
        proposed, places = proposed_set(rule_set, proposal, next_id)
        then = await asyncio.to_thread(now.follow, proposed)
        if then.matcher is now.matcher:
            then = Knowledge(proposed, now.matcher.fork())
        return Comparison(now, then), DryRunView(rule_set.version, places, next_id)
