"""POST /api/v2/rules/dry-run: what proposed rules would decide otherwise, over sample lines and events audited last."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from time import monotonic
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies
from api.host_lists import Hostname
from api.metrics import ApiMetrics
from api.pattern_guard import PatternGuard
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, JsonResponse, Problem
from api.routes import ApiRoute
from api.rule_bodies import RuleBody, pattern_faults, read_rule, read_rules, refuse_patterns
from api.rules import LARGEST_ID, PATH
from api.turns import Turns
from schemas import codec
from schemas.errors import RecordRejected, TooSlow
from schemas.events import Disposition, Event
from schemas.json_faults import faults_in
from schemas.rules import AlertSeverity, Handling, Rule
from schemas.scopes import Scope
from schemas.topics import RAW
from streams.adapters.audit_samples import AuditSamples
from streams.adapters.rule_store import NO_RULE, RuleStore
from streams.core.dry_run import MOST_EVENTS, Change, Comparison, Decision, Proposal, proposed_set
from streams.core.matching import Knowledge

MOST_LINES = 1000
MOST_RULES = 10_000
SHOWN_HOSTS = 100
SHOWN_MESSAGE = 500
"""Characters of an example's message."""
WITHIN_S = 30.0
WAITING = 8

RuleId = Annotated[int, Meta(ge=1, le=LARGEST_ID)]


class DryRun(Struct, forbid_unknown_fields=True, kw_only=True):
    """What is proposed: `rule` alone is added, with `rule_id` it takes that one's place, `rule_id` alone is retired,
    `rules` are all there would be. Decided over `lines`, over the `last` audited events, or both."""

    rule: RuleBody | None = None
    rule_id: RuleId | None = None
    rules: Annotated[list[RuleBody], Meta(max_length=MOST_RULES)] | None = None
    lines: Annotated[list[str], Meta(max_length=MOST_LINES)] = []
    """Syslog lines as devices send them; a line without header is all message."""
    hostname: Hostname | None = None
    """Of lines that name none."""
    last: Annotated[int, Meta(ge=0, le=MOST_EVENTS)] = 0


class ShownDecision(Struct, frozen=True, kw_only=True):
    disposition: Disposition
    rule_id: int | None
    """Null where no rule matches, and for a new one."""
    proposed: int | None
    """The place of the rule among the proposed ones, from 0; null for one that is in force."""
    handling: Handling | None
    team: str
    severity: AlertSeverity


class LineDecision(Struct, frozen=True, kw_only=True):
    """A sample line, and what it comes to. A line that is no event has a `refusal`, and no decisions."""

    hostname: str | None
    message: str | None
    refusal: str | None
    changed: bool
    before: ShownDecision | None
    after: ShownDecision | None


class KindOfChange(Struct, frozen=True):
    before: Disposition
    after: Disposition
    events: int


class HostChanges(Struct, frozen=True):
    hostname: str
    events: int


class TeamChanges(Struct, frozen=True):
    """Changed decisions that name this team now, and that would."""

    team: str
    before: int
    after: int


class Example(Struct, frozen=True, kw_only=True):
    event_id: str
    hostname: str
    message: str
    before: ShownDecision
    after: ShownDecision


class AuditedDifferences(Struct, frozen=True, kw_only=True):
    judged: int
    changed: int
    kinds: list[KindOfChange]
    hosts: list[HostChanges]
    """Those with most changes first; not all where `more_hosts` says so."""
    more_hosts: int
    teams: list[TeamChanges]
    examples: list[Example]


class DryRunAnswer(Struct, frozen=True, kw_only=True):
    ruleset_version: int
    """The rules in force that were compared with."""
    lines: list[LineDecision]
    audited: AuditedDifferences | None
    """Null where no audited events were asked for."""


RECEIVED = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""The year of lines that tell none: no decision looks at it."""

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
        asked, proposal = await asyncio.to_thread(_read, bodies.parsed(await bodies.read_bytes(request)))
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
        lines = await asyncio.to_thread(shown.lines, comparison, asked)
        if asked.last:
            with self._metrics.timed("dry_run"):
                async for samples in self._samples.newest(asked.last):
                    if monotonic() > deadline:
                        raise TooSlow(f"{comparison.found.judged} events were decided over in {WITHIN_S:g} s")
                    await asyncio.to_thread(comparison.see, samples)
        audited = shown.differences(comparison) if asked.last else None
        return DryRunAnswer(ruleset_version=shown.version, lines=lines, audited=audited)

    async def _comparison(self, proposal: Proposal) -> tuple[Comparison, _Shown]:
        rule_set, next_id = await self._samples.rules_in_force()
        follow = Knowledge.of if self._in_force is None else self._in_force.follow
        now = self._in_force = await asyncio.to_thread(follow, rule_set)
        proposed, places = proposed_set(rule_set, proposal, next_id)
        then = await asyncio.to_thread(now.follow, proposed)
        if then.matcher is now.matcher:
            then = Knowledge(proposed, now.matcher.fork())
        return Comparison(now, then), _Shown(rule_set.version, places, next_id)


class _Shown:
    """How decisions are shown: a new rule has no id yet, but a place among those proposed."""

    def __init__(self, version: int, places: Mapping[int, int], next_id: int) -> None:
        self.version = version
        self._places = places
        self._next_id = next_id

    def decision(self, decision: Decision, *, after: bool) -> ShownDecision:
        rule_id = decision.rule_id
        place = self._places.get(rule_id) if after and rule_id is not None else None
        new = place is not None and rule_id is not None and rule_id >= self._next_id
        return ShownDecision(
            disposition=decision.disposition,
            rule_id=None if new else rule_id,
            proposed=place,
            handling=decision.handling,
            team=decision.team,
            severity=decision.severity,
        )

    def lines(self, comparison: Comparison, asked: DryRun) -> list[LineDecision]:
        return [self._line(comparison, line, asked.hostname) for line in asked.lines]

    def _line(self, comparison: Comparison, line: str, hostname: str | None) -> LineDecision:
        try:
            event = event_of(line, hostname)
        except RecordRejected as rejected:
            return LineDecision(
                hostname=None, message=None, refusal=str(rejected), changed=False, before=None, after=None
            )
        before, after = comparison.decide(event)
        return LineDecision(
            hostname=event.hostname,
            message=event.message[:SHOWN_MESSAGE],
            refusal=None,
            changed=before != after,
            before=self.decision(before, after=False),
            after=self.decision(after, after=True),
        )

    def differences(self, comparison: Comparison) -> AuditedDifferences:
        found = comparison.found
        teams = sorted(found.teams_before.keys() | found.teams_after.keys())
        return AuditedDifferences(
            judged=found.judged,
            changed=found.changed,
            kinds=[KindOfChange(*kind, count) for kind, count in found.kinds.most_common()],
            hosts=[HostChanges(host, count) for host, count in found.hosts.most_common(SHOWN_HOSTS)],
            more_hosts=max(0, len(found.hosts) - SHOWN_HOSTS),
            teams=[TeamChanges(team, found.teams_before[team], found.teams_after[team]) for team in teams],
            examples=list(map(self._example, found.examples)),
        )

    def _example(self, change: Change) -> Example:
        return Example(
            event_id=change.sample.name,
            hostname=change.sample.event.hostname,
            message=change.sample.event.message[:SHOWN_MESSAGE],
            before=self.decision(change.before, after=False),
            after=self.decision(change.after, after=True),
        )


def event_of(line: str, hostname: str | None) -> Event:
    """A line as it would be read from the raw topic. Raises RecordRejected."""
    return codec.decode(line.encode(), RAW, hostname.encode() if hostname else None, RECEIVED).event


def _read(data: object) -> tuple[DryRun, Proposal]:
    """Raises Invalid with every fault, those within rules too."""
    faults: list[Fault] = []
    rules: list[Rule] = []
    rest = data
    if isinstance(data, dict):
        rest = {name: value for name, value in data.items() if name not in ("rule", "rules")}
        faults += _contradictions(data)
        rules = _rules(data, faults)
    faults += [Fault(fault.detail, pointer=fault.pointer) for fault in faults_in(rest, DryRun)]
    if faults:
        raise Invalid(faults)
    asked = msgspec.convert(data, DryRun)
    without = frozenset({asked.rule_id} if asked.rule_id is not None and asked.rule is None else ())
    return asked, Proposal(tuple(rules), without, whole=asked.rules is not None)


def _rules(data: Mapping[str, Any], faults: list[Fault]) -> list[Rule]:
    given = data.get("rules")
    if isinstance(given, list):
        if len(given) > MOST_RULES:
            faults.append(Fault(f"has {len(given)} rules; at most {MOST_RULES}", pointer="/rules"))
            return []
        return read_rules(given, faults, pointer="/rules")
    if given is not None:
        faults.append(Fault("must be a list of rules", pointer="/rules"))
    if data.get("rule") is None:
        return []
    rule_id = data.get("rule_id")
    rule = read_rule(data["rule"], faults, id=rule_id if type(rule_id) is int else 0, pointer="/rule")
    return [rule] if rule is not None else []


def _contradictions(data: Mapping[str, Any]) -> list[Fault]:
    named = [name for name in ("rule", "rule_id", "rules") if data.get(name) is not None]
    faults = []
    if not named:
        faults.append(Fault("propose something: rule, rule_id or rules", pointer=""))
    if "rules" in named and len(named) > 1:
        faults.append(Fault("`rules` are all there would be: it stands alone", pointer="/rules"))
    if not data.get("lines") and not data.get("last"):
        faults.append(Fault("decide over something: lines, last or both", pointer=""))
    return faults
