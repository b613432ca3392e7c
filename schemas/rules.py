"""Rules: what decides over an event, and the rule set a worker holds at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from schemas.config import DynamicConfig


class MatchType(StrEnum):
    """Which column of a rule is tested; the other has no effect."""

    CONTAINS = "contains"
    REGEX = "regex"
    OID_PREFIX = "oid_prefix"
    ANY = "any"


class Handling(StrEnum):
    """What happens to an event that a rule matches."""

    PAGE_AND_TICKET = "Page_and_ticket"
    PAGE_ONLY = "Page_only"
    TICKET_ONLY = "Ticket_only"
    EMAIL_ONLY = "Email_only"
    LOG_ONLY = "Log_only"
    IGNORE = "Ignore"

    @property
    def raises_alert(self) -> bool:
        return self in _ALERTING


_ALERTING = frozenset({Handling.PAGE_AND_TICKET, Handling.PAGE_ONLY, Handling.TICKET_ONLY})


class SeverityMatch(StrEnum):
    """How `syslog_severity` filters: the same number, or that number and all that are worse (lower)."""

    EXACT = "exact"
    OR_WORSE = "or_worse"


class Mode(StrEnum):
    """A rule in `monitor` is compiled and kept, but decides nothing."""

    ACTIVE = "active"
    MONITOR = "monitor"


class AlertSeverity(StrEnum):
    """Severity of an alert; `number` is the receiver's 0-5."""

    CLEAR = "clear"
    INFO = "info"
    MINOR = "minor"
    WARNING = "warning"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def number(self) -> int:
        return _SEVERITY_NUMBER[self]


_SEVERITY_NUMBER = {severity: number for number, severity in enumerate(AlertSeverity)}


class Rule(Struct, frozen=True, kw_only=True):
    """One rule. Column names and defaults are the earlier system's (lowest `priority` wins, ties by lowest id)."""

    id: int
    version: int = 1
    match_type: MatchType = MatchType.CONTAINS
    match_string: str | None = None
    trap_oid: str | None = None
    syslog_severity: int | None = None
    severity_match: SeverityMatch = SeverityMatch.EXACT
    priority: int = 100
    prod_handling: Handling
    dev_handling: Handling
    team_assignment: str | None = None
    alert_severity: AlertSeverity | None = None
    description: str | None = None
    is_active: bool = True
    mode: Mode = Mode.ACTIVE

    @property
    def rank(self) -> tuple[int, int]:
        return self.priority, self.id


class RuleSet(Struct, frozen=True, kw_only=True):
    """Everything a decision depends on besides the event, as one consistent snapshot (I5)."""

    version: int
    """Counts every change of rules, hosts, teams or configuration; stored with each decision."""
    digest: str
    """SHA-256 (hex) of the canonical content."""
    rules: tuple[Rule, ...]
    """Active rules in rank order."""
    development_hosts: frozenset[str] = frozenset()
    device_teams: Mapping[str, str] = {}
    config: DynamicConfig
