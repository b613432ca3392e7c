"""What the rules said at a version: history replayed from the audit of configuration, and a plain linear matcher."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.chaos.checker.reading import Event

ALERTING = frozenset({"Page_and_ticket", "Page_only", "Ticket_only"})
SEVERITIES = ("clear", "info", "minor", "warning", "major", "critical")
BY_SYSLOG = ("critical", "critical", "critical", "major", "warning", "minor", "info", "info")
DECIDES = ("alert_rules", "development_hosts", "device_teams", "dynamic_config")
"""Tables whose changes count a rule-set version."""
DEFAULT_TEAM = "NETO"
_ENGINES_OWN = re.compile(r"\(\?[^:=!#-]|\[\[:|\\[QEhHRXKGzZAvpPx0-9]|\(\*|[*+?}]\+")
"""What the product's regular expressions have and Python's have not, or mean otherwise."""

Finds = Callable[[Event], bool | None]
"""Whether a rule's text or OID is in an event; None where this matcher does not know."""


class Change(NamedTuple):
    """One row of config_audit."""

    id: int
    xid: int
    committed: int | None
    operation: str
    table: str
    object: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


class Rule(NamedTuple):
    priority: int
    id: int
    version: int
    finds: Finds
    severity: int | None
    or_worse: bool
    prod: str
    dev: str
    team: str | None
    alert_severity: str | None


class Judged(NamedTuple):
    """What the rules say of one event. Without a rule it is unhandled."""

    rule: Rule | None
    handling: str | None
    team: str
    severity: str

    @property
    def disposition(self) -> str:
        if self.rule is None:
            return "unhandled"
        if self.handling == "Ignore":
            return "ignored"
        return "alerted" if self.handling in ALERTING else "logged"


class Book:
    """Rules, hosts, teams and configuration at one moment."""

    def __init__(self, tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        deciding = (row for row in tables.get("alert_rules", {}).values() if _decides(row))
        self.rules = sorted((_rule(row) for row in deciding), key=lambda rule: (rule.priority, rule.id))
        self.development_hosts = frozenset(tables.get("development_hosts", {}))
        self.teams = {host: row["team_assignment"] for host, row in tables.get("device_teams", {}).items()}
        self.config: dict[str, str] = {key: row["value"] for key, row in tables.get("dynamic_config", {}).items()}

    @property
    def content(self) -> tuple[object, ...]:
        """Equal for books that decide alike."""
        rules = tuple((*rule[:3], *rule[4:]) for rule in self.rules)
        config = tuple(
            sorted((key, value) for key, value in self.config.items() if not key.startswith(("moog", "slo")))
        )
        return rules, self.development_hosts, tuple(sorted(self.teams.items())), config

    def judge(self, event: Event) -> Judged | None:
        """The first rule that matches, from the lowest priority, then id, on; None where that cannot be told."""
        for rule in self.rules:
            if not _passes(rule, event.severity):
                continue
            found = rule.finds(event)
            if found is None:
                return None
            if found:
                return self._by(rule, event)
        return Judged(None, None, self._team(event), "warning")

    def _by(self, rule: Rule, event: Event) -> Judged:
        handling = rule.dev if event.hostname in self.development_hosts else rule.prod
        by_event = "warning" if event.severity is None else BY_SYSLOG[event.severity]
        return Judged(rule, handling, rule.team or self._team(event), rule.alert_severity or by_event)

    def _team(self, event: Event) -> str:
        return self.teams.get(event.hostname) or self.config.get("unhandled_default_team") or DEFAULT_TEAM

    def number(self, key: str, default: int) -> int:
        return int(self.config.get(key, default))

    def switch(self, key: str) -> bool:
        return self.config.get(key, "false").strip().lower() == "true"


def _decides(row: Mapping[str, Any]) -> bool:
    return bool(row.get("is_active")) and row.get("mode") == "active" and row.get("retired_at") is None


def _passes(rule: Rule, severity: int | None) -> bool:
    if rule.severity is None:
        return True
    if severity is None:
        return False
    return severity <= rule.severity if rule.or_worse else severity == rule.severity


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(
        row["priority"], row["id"], row["version"], _finder(row), row.get("syslog_severity"),
        row.get("severity_match") == "or_worse", row["prod_handling"], row["dev_handling"],
        row.get("team_assignment"), row.get("alert_severity"),
    )  # fmt: skip


def _finder(row: Mapping[str, Any]) -> Finds:
    kind, text = row["match_type"], row.get("match_string") or ""
    if kind == "any":
        return lambda event: True
    if kind == "oid_prefix":
        prefix = (row.get("trap_oid") or "").removeprefix(".")
        return lambda event: event.trap_oid is not None and f"{event.trap_oid}.".startswith(f"{prefix}.")
    if kind == "contains":
        return _contains(text)
    return _regex(text)


def _contains(text: str) -> Finds:
    if text.isascii():  # the case of ASCII letters alone is free
        wanted = text.encode().lower()
        return lambda event: wanted in event.message.encode("utf-8", "surrogatepass").lower()
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    return lambda event: pattern.search(event.message) is not None


def _regex(text: str) -> Finds:
    """A pattern that Python reads as the product's engine does; another one is not judged."""
    if not text.isascii() or _ENGINES_OWN.search(text):
        return lambda event: None
    try:
        pattern = re.compile(text.encode(), re.IGNORECASE)
    except re.error:
        return lambda event: None
    return lambda event: pattern.search(event.message.encode("utf-8", "surrogatepass")) is not None


class History:
    """The content of the tables that decide, after each transaction that changed one."""

    def __init__(self, changes: Sequence[Change], version: int, recorded: Mapping[int, int] | None = None) -> None:
        """`version`: the one that stands now. `recorded`: by transaction, the last version it counted to."""
        deciding = [change for change in changes if change.table in DECIDES]
        self._steps: list[list[Change]] = []
        for change in sorted(deciding, key=lambda change: (change.committed or 0, change.id)):
            if not self._steps or self._steps[-1][0].xid != change.xid:
                self._steps.append([])
            self._steps[-1].append(change)
        self._version = version
        self._exact = self._recorded(recorded or {}) or self._counted()
        self._books: dict[int, Book] = {}
        self._tables: dict[str, dict[str, dict[str, Any]]] = {table: {} for table in DECIDES}
        self._done = 0

    def _recorded(self, recorded: Mapping[int, int]) -> dict[int, int]:
        """The same where a recorder saw every transaction. One that counted and changed nothing has a version too."""
        steps = [recorded[changes[0].xid] for changes in self._steps if changes[0].xid in recorded]
        if len(steps) != len(self._steps):
            return {}
        return {1: 0} | {version: bisect_right(sorted(steps), version) for version in recorded.values()}

    def _counted(self) -> dict[int, int]:
        """By version, after how many transactions; empty where counting the statements does not lead to the version
        that stands now."""
        versions, version = {1: 0}, 1
        for step, changes in enumerate(self._steps, 1):
            version += statements(changes)
            versions[version] = step
        return versions if version == self._version else {}

    def candidates(self, version: int) -> list[int]:
        """How many transactions may have been behind this version. Every transaction counts at least once, some more
        often; nobody wrote down how often, so there may be several answers."""
        if self._exact:
            return [self._exact[version]] if version in self._exact else []
        low = max(0, len(self._steps) - (self._version - version))
        high = min(len(self._steps), version - 1)
        return list(range(low, high + 1))

    def book(self, step: int) -> Book:
        """What stood there after so many transactions; asked for in rising order it costs least."""
        if step not in self._books:
            if step < self._done:
                self._tables, self._done = {table: {} for table in DECIDES}, 0
            for changes in self._steps[self._done : step]:
                for change in changes:
                    apply(self._tables[change.table], change)
            self._done = step
            self._books[step] = Book(self._tables)
        return self._books[step]


def statements(changes: Sequence[Change]) -> int:
    """How often a transaction counts, as its authors write: rules are made and changed by plain statements, all that
    are made by one; what has a name is inserted or else updated, which is two events of one statement."""
    made = any(change.table == "alert_rules" and change.old is None for change in changes)
    one_by_one = [change for change in changes if change.table != "alert_rules" or change.old is not None]
    return made + sum(2 if change.table != "alert_rules" and change.new is not None else 1 for change in one_by_one)


def apply(table: dict[str, dict[str, Any]], change: Change) -> None:
    """Makes a change to a table's content, by object."""
    if change.new is None:
        table.pop(change.object, None)
    elif change.old is None:
        table[change.object] = dict(change.new)
    else:
        table.setdefault(change.object, {}).update(change.new)
