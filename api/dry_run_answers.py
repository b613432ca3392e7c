"""What a dry run answers: decisions before and after, over sample lines and over audited events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from msgspec import Struct

from schemas import codec
from schemas.errors import RecordRejected
from schemas.events import Disposition, Event
from schemas.rules import AlertSeverity, Handling
from schemas.topics import RAW
from streams.core.dry_run import Change, Comparison, Decision

SHOWN_HOSTS = 100
SHOWN_MESSAGE = 500
"""Characters of an example's message."""

RECEIVED = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""The year of lines that tell none: no decision looks at it."""


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


class DryRunView:
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

    def lines(self, comparison: Comparison, lines: Sequence[str], hostname: str | None) -> list[LineDecision]:
        return [self._line(comparison, line, hostname) for line in lines]

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
