"""Matching: which rule decides over an event, and what it decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import hyperscan
from msgspec import Struct

from schemas.events import Disposition, Event
from schemas.rules import AlertSeverity, Handling, MatchType, Mode, Rule, RuleSet, SeverityMatch
from streams.core.expressions import ON_MESSAGE, Tested, tested
from streams.core.oids import PrefixTable
from streams.core.pattern_databases import PatternDatabase, databases_for

_NO_SEVERITY = 8
_SEVERITY_BITS = (*(1 << number for number in range(8)), 1 << _NO_SEVERITY)
_ANY_SEVERITY = (1 << 9) - 1
_LOG_ONLY, _WARNING = Handling.LOG_ONLY, AlertSeverity.WARNING


class Matcher:
    """The compiled rules of one rule set. Used by one thread at a time; `fork` gives another thread its own."""

    __slots__ = ("_catch_all", "_databases", "_hits", "_oids", "_passes", "_scans", "compact", "rules")

    def __init__(self, rules: tuple[Rule, ...], databases: tuple[PatternDatabase, ...], oids: PrefixTable) -> None:
        """`rules` are those that decide, in rank order; the ids in `oids` are positions in it. `databases` make every
        test of theirs."""
        self.rules = rules
        self._databases = databases
        self._oids = oids
        self._passes = [passing_severities(rule) for rule in rules]
        self._catch_all = _lowest_catch_all(rules, self._passes)
        self._hits: list[int] = []
        ranks = _ranks(rules)
        self._scans = [_scan(one, ranks, self._hits) for one in databases]
        self.compact = sum(len(one.tests) for one in databases) == len(ranks) and len(databases) < 2
        """Whether each message is scanned once, and only for what the rules want."""

    def match_all(self, events: Iterable[Event]) -> list[Rule | None]:
        """For each event the matching rule with the lowest (priority, id) whose severity passes, or None."""
        hits, passes, catch_all, rules = self._hits, self._passes, self._catch_all, (*self.rules, None)
        scans, collect_oids = self._scans, self._oids.collect
        found = []
        for event in events:
            hits.clear()
            if scans:
                message = event.message.encode()
                for scan, collect, scratch in scans:
                    scan(message, collect, scratch=scratch)
            oid, severity = event.trap_oid, event.syslog_severity
            if oid:
                collect_oids(oid, hits)
            index = _NO_SEVERITY if severity is None else severity
            best = catch_all[index]
            if hits:
                bit = _SEVERITY_BITS[index]
                for rank in hits:
                    if rank < best and passes[rank] & bit:
                        best = rank
            found.append(rules[best])
        return found

    def fork(self) -> Matcher:
        """The same rules for another thread; nothing is compiled again."""
        return Matcher(self.rules, self._databases, self._oids)

    def follow(self, rule_set: RuleSet) -> Matcher:
        """The matcher of the next rule set, as `compile_rules`; only tests that are new are compiled."""
        return _matcher(rule_set, self._databases)


def compile_rules(rule_set: RuleSet) -> Matcher:
    """The matcher of a rule set: rules that are inactive or in `monitor` decide nothing and are left out.

    For its cost and errors see `databases_for`.
    """
    return _matcher(rule_set, ())


def _matcher(rule_set: RuleSet, kept: Sequence[PatternDatabase]) -> Matcher:
    deciding = (rule for rule in rule_set.rules if rule.is_active and rule.mode is Mode.ACTIVE)
    rules = tuple(sorted(deciding, key=lambda rule: rule.rank))
    oids = ((rule.trap_oid or "", rank) for rank, rule in enumerate(rules) if rule.match_type is MatchType.OID_PREFIX)
    return Matcher(rules, databases_for(rules, kept), PrefixTable(oids))


def _ranks(rules: Sequence[Rule]) -> dict[Tested, list[int]]:
    """Positions of the rules that make each test of `message`."""
    ranks: dict[Tested, list[int]] = {}
    for rank, rule in enumerate(rules):
        if rule.match_type in ON_MESSAGE:
            ranks.setdefault(tested(rule), []).append(rank)
    return ranks


def _scan(
    compiled: PatternDatabase, ranks: Mapping[Tested, Sequence[int]], hits: list[int]
) -> tuple[Callable[..., None], Callable[..., None], hyperscan.Scratch]:
    """What scans a message, what adds to `hits` for each id that it reports, and its scratch space."""
    by_id, extend = [ranks.get(test, ()) for test in compiled.tests], hits.extend
    # Never returns true: the engine would stop, and it reports hits in the order of the text, not by rank.
    return (
        compiled.database.scan,
        lambda id, start, end, flags, context: extend(by_id[id]),
        hyperscan.Scratch(compiled.database),
    )


def passing_severities(rule: Rule) -> int:
    """Bit n is set when syslog severity n passes the rule's filter, bit 8 when an event without severity does."""
    if rule.syslog_severity is None:
        return _ANY_SEVERITY
    if rule.severity_match is SeverityMatch.EXACT:
        return 1 << rule.syslog_severity
    return (1 << (rule.syslog_severity + 1)) - 1


def _lowest_catch_all(rules: tuple[Rule, ...], passes: list[int]) -> list[int]:
    """By severity, the lowest rank of a rule that matches everything; `len(rules)` where there is none."""
    catch_alls = [rank for rank, rule in enumerate(rules) if rule.match_type is MatchType.ANY]
    return [next((rank for rank in catch_alls if passes[rank] & bit), len(rules)) for bit in _SEVERITY_BITS]


class Judgement(Struct, gc=False):
    """What the rules say about one event, before any shedding."""

    rule: Rule | None
    """None: no rule matches, the event is unhandled."""
    handling: Handling
    """The rule's, for production or development hosts; means nothing without a rule."""
    team: str
    """The rule's, else the host's, else the default team."""
    severity: AlertSeverity
    """Of the alert this event raises, if it raises one."""

    @property
    def disposition(self) -> Disposition:
        if self.rule is None:
            return Disposition.UNHANDLED
        if self.handling is Handling.IGNORE:
            return Disposition.IGNORED
        return Disposition.ALERTED if self.handling.raises_alert else Disposition.LOGGED


_BY_SYSLOG = (
    *[AlertSeverity.CRITICAL] * 3,
    AlertSeverity.MAJOR,
    AlertSeverity.WARNING,
    AlertSeverity.MINOR,
    *[AlertSeverity.INFO] * 2,
    AlertSeverity.WARNING,
)
"""Alert severity by syslog severity 0-7; the last is for events without one."""


def team_for(rule_set: RuleSet, hostname: str) -> str:
    """The host's team, else the default team."""
    return rule_set.device_teams.get(hostname) or rule_set.config.unhandled_default_team


@dataclass(frozen=True, slots=True)
class Knowledge:
    """A rule set and its compiled form: all that decisions rest on, swapped as one reference."""

    rule_set: RuleSet
    matcher: Matcher

    @classmethod
    def of(cls, rule_set: RuleSet) -> Knowledge:
        """Compiles the rule set; see `compile_rules` for its cost and errors."""
        return cls(rule_set, compile_rules(rule_set))

    def follow(self, rule_set: RuleSet) -> Knowledge:
        """The knowledge of the next rule set; only patterns that are new are compiled."""
        same = rule_set.rules == self.rule_set.rules
        return Knowledge(rule_set, self.matcher if same else self.matcher.follow(rule_set))

    def judge_all(self, events: Sequence[Event]) -> list[Judgement]:
        """What the rules say about each event: same rule set, same event, same answer (I5)."""
        rule_set, judged = self.rule_set, []
        development_hosts = rule_set.development_hosts
        for event, rule in zip(events, self.matcher.match_all(events), strict=True):
            hostname = event.hostname
            if rule is None:
                judged.append(Judgement(None, _LOG_ONLY, team_for(rule_set, hostname), _WARNING))
                continue
            severity = event.syslog_severity
            judged.append(
                Judgement(
                    rule,
                    rule.dev_handling if hostname in development_hosts else rule.prod_handling,
                    rule.team_assignment or team_for(rule_set, hostname),
                    rule.alert_severity or _BY_SYSLOG[_NO_SEVERITY if severity is None else severity],
                )
            )
        return judged

    def judge(self, event: Event) -> Judgement:
        return self.judge_all((event,))[0]
