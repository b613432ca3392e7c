"""Dry runs of rules: which decisions would be others under a rule set that is only proposed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from schemas.events import Disposition, Event
from schemas.rules import AlertSeverity, Handling, Rule, RuleSet
from streams.core.matching import Judgement, Knowledge

MOST_EVENTS = 10_000
EXAMPLES = 20
"""Changed decisions that are shown whole; of each kind of change there is one among the first of them."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What rules decide over an event, whatever the backlog."""

    disposition: Disposition
    rule_id: int | None
    handling: Handling | None
    team: str
    severity: AlertSeverity

    @classmethod
    def of(cls, judgement: Judgement) -> Decision:
        rule = judgement.rule
        handling = judgement.handling if rule is not None else None
        rule_id = rule.id if rule is not None else None
        return cls(judgement.disposition, rule_id, handling, judgement.team, judgement.severity)


@dataclass(frozen=True, slots=True)
class Sample:
    """An event to decide over, and what it is called."""

    name: str
    event: Event


@dataclass(frozen=True, slots=True)
class Change:
    """One decision that would be another."""

    sample: Sample
    before: Decision
    after: Decision

    @property
    def kind(self) -> tuple[Disposition, Disposition]:
        return self.before.disposition, self.after.disposition


@dataclass(slots=True)
class Differences:
    """What was found so far."""

    judged: int = 0
    kinds: Counter[tuple[Disposition, Disposition]] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    teams_before: Counter[str] = field(default_factory=Counter)
    """Teams that changed decisions name now, and would name."""
    teams_after: Counter[str] = field(default_factory=Counter)
    examples: list[Change] = field(default_factory=list)

    @property
    def changed(self) -> int:
        return self.kinds.total()

    def add(self, change: Change) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(change)
        elif change.kind not in self.kinds:
            # A kind that is new takes the place of the last example of one that has several.
            several = [at for at, shown in enumerate(self.examples) if self._shown(shown) > 1]
            self.examples[several[-1]] = change
        self.kinds[change.kind] += 1
        self.hosts[change.sample.event.hostname] += 1
        self.teams_before[change.before.team] += 1
        self.teams_after[change.after.team] += 1

    def _shown(self, example: Change) -> int:
        return sum(other.kind == example.kind for other in self.examples)


class Comparison:
    """Decides over events twice. Of one thread at a time, as its matchers are."""

    def __init__(self, before: Knowledge, after: Knowledge) -> None:
        self._before = before
        self._after = after
        self.found = Differences()

    def decide(self, event: Event) -> tuple[Decision, Decision]:
        """As it is, and as it would be."""
        return Decision.of(self._before.judge(event)), Decision.of(self._after.judge(event))

    def see(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            before, after = self.decide(sample.event)
            self.found.judged += 1
            if before != after:
                self.found.add(Change(sample, before, after))


@dataclass(frozen=True, slots=True)
class Proposal:
    """Rules that might be in force: in place of all (`whole`), else added, or in place of the ones of their id.

    New rules have an id of 0. `without` are ids of rules that would be retired.
    """

    rules: tuple[Rule, ...] = ()
    without: frozenset[int] = frozenset()
    whole: bool = False


def proposed_set(rule_set: RuleSet, proposal: Proposal, next_id: int) -> tuple[RuleSet, dict[int, int]]:
    """The rule set as it would be, and which of its ids are whose place among the proposed rules.

    New rules are numbered from `next_id`, as the database would: of equal priorities they come last.
    """
    replaced = {rule.id for rule in proposal.rules if rule.id}
    kept = [] if proposal.whole else [one for one in rule_set.rules if one.id not in replaced | proposal.without]
    numbered = _numbered(proposal.rules, next_id)
    rules = sorted([*kept, *(rule for rule in numbered if rule.is_active)], key=lambda rule: rule.rank)
    places = {rule.id: place for place, rule in enumerate(numbered)}
    return replace(rule_set, rules=tuple(rules), digest=""), places


def _numbered(rules: Sequence[Rule], next_id: int) -> list[Rule]:
    numbered = []
    for rule in rules:
        numbered.append(rule if rule.id else replace(rule, id=next_id))
        next_id += 0 if rule.id else 1
    return numbered
