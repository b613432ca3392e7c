"""What a row of MUTT 2.5 becomes: taken as it is, changed, or refused, and why. Files: schemas/v25_files.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from schemas.errors import RuleRefused
from schemas.rule_fields import rule_from_mapping
from schemas.rules import Handling, MatchType, Rule
from schemas.v25_files import OldRow, Values

HOST_LIMIT, TEAM_LIMIT = 255, 100

_OURS = {
    "match_string", "trap_oid", "syslog_severity", "match_type", "priority", "prod_handling", "dev_handling",
    "team_assignment", "is_active",
}  # fmt: skip
_DROPPED = {"id", "created_at", "updated_at", "created_by", "updated_by"}
_NUMBER = re.compile(r"[0-9]{1,10}")
_SWITCHES = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


class Fate(StrEnum):
    """What became of a row."""

    TAKEN = "taken"
    CHANGED = "changed"
    REFUSED = "refused"


class Judged(Struct, frozen=True, kw_only=True):
    """One row of the earlier system: what became of it, what it is now, and what is different or wrong."""

    file: str
    line: int
    table: str
    name: str
    """A rule's old id, or a host."""
    fate: Fate
    notes: tuple[str, ...] = ()
    rule: Rule | None = None
    team: str | None = None


def judge(rows: Iterable[tuple[str, OldRow]], handlings: Mapping[str, Handling]) -> list[Judged]:
    """The rows of all files, each with the name of its file: rules in the order of their old ids, so that of equal
    priorities the same one wins; then hosts and teams.

    `handlings` says what texts in lower case stand for which are no handling of ours.
    """
    found = list(rows)
    rules = sorted((one for one in found if one[1].table == "alert_rules"), key=_age)
    judged = [_rule(file, row, place, handlings) for place, (file, row) in enumerate(rules, 1)]
    hosts: dict[tuple[str, str], str | None] = {}
    return judged + [_host(file, row, hosts) for file, row in found if row.table != "alert_rules"]


def _age(one: tuple[str, OldRow]) -> tuple[int, str, int]:
    file, row = one
    number = row.values.get("id") or ""
    return (int(number) if _NUMBER.fullmatch(number) else 2**31, file, row.line)


def _rule(file: str, row: OldRow, place: int, handlings: Mapping[str, Handling]) -> Judged:
    notes: list[str] = []
    name = (row.values.get("id") or f"line {row.line}")[:40]
    try:
        rule = rule_from_mapping(_members(row.values, handlings, notes), id=place)
    except RuleRefused as refused:
        return Judged(file=file, line=row.line, table=row.table, name=name, fate=Fate.REFUSED, notes=refused.problems)
    notes += _meanings(row.values, rule)
    fate = Fate.CHANGED if notes else Fate.TAKEN
    return Judged(file=file, line=row.line, table=row.table, name=name, fate=fate, notes=tuple(notes), rule=rule)


def _members(values: Values, handlings: Mapping[str, Handling], notes: list[str]) -> dict[str, Any]:
    """The row as `rule_from_mapping` wants it. Notes what is written differently; what is wrong stays wrong."""
    members: dict[str, Any] = {name: values[name] for name in _OURS & values.keys() if values[name] not in (None, "")}
    for name in ("syslog_severity", "priority"):
        if _NUMBER.fullmatch(members.get(name, "")):
            members[name] = int(members[name])
    if (switch := _SWITCHES.get(str(members.get("is_active")).lower())) is not None:
        members["is_active"] = switch
    for name in ("prod_handling", "dev_handling"):
        old = str(members.get(name, "")).strip()
        if new := handlings.get(old.lower()):
            members[name] = new.value
            notes.append(f"{name}: {old[:60]!r} is {new}, as you said")
    if (oid := members.get("trap_oid", "")).endswith("."):
        members["trap_oid"] = oid.rstrip(".")
    lost = sorted(name for name in values.keys() - _OURS - _DROPPED if values[name] is not None)
    notes += [f"{name[:60]!r} is not kept: mutt has no such column" for name in lost]
    return members


def _meanings(old: Values, rule: Rule) -> Iterator[str]:
    """What the same words mean differently now."""
    for name in ("prod_handling", "dev_handling"):
        text, handling = str(old.get(name)).strip(), getattr(rule, name)
        if text.lower() == "suppress":
            yield f"{name}: Suppress is Ignore"
        if handling is Handling.IGNORE:
            yield f"{name}: ignored events are counted, and no longer have an audit row each"
    if rule.match_type is MatchType.OID_PREFIX:
        if old.get("trap_oid") != rule.trap_oid:
            yield f"trap_oid: {str(old.get('trap_oid'))[:60]} is {rule.trap_oid}"
        yield "trap_oid: matches whole arcs, no longer any OID that begins with these characters"
        if old.get("match_string"):
            yield "match_string: has no effect, match_type oid_prefix tests trap_oid alone"
    elif old.get("trap_oid"):
        yield f"trap_oid: has no effect, match_type {rule.match_type} tests match_string alone"
    if rule.team_assignment is None:
        yield "team_assignment: is empty, so the host's team gets the alert, else the default team"


def _host(file: str, row: OldRow, hosts: dict[tuple[str, str], str | None]) -> Judged:
    host, team = row.values.get("hostname") or "", row.values.get("team_assignment")
    problems = list(_faults(row.table, host, team))
    notes: list[str] = []
    if not problems and (row.table, host) in hosts:
        same = hosts[row.table, host] == team
        (notes if same else problems).append("stands there twice" + ("" if same else ", with another team"))
    hosts.setdefault((row.table, host), team)
    fate = Fate.REFUSED if problems else Fate.CHANGED if notes else Fate.TAKEN
    team = team if row.table == "device_teams" else None
    return Judged(
        file=file, line=row.line, table=row.table, name=host[:HOST_LIMIT], fate=fate,
        notes=tuple(problems or notes), team=team,
    )  # fmt: skip


def _faults(table: str, host: str, team: str | None) -> Iterator[str]:
    if not host.strip():
        yield "hostname: is missing"
    elif len(host) > HOST_LIMIT:
        yield f"hostname: has {len(host)} characters; at most {HOST_LIMIT}"
    if "\0" in host + (team or ""):
        yield "holds a NUL character"
    if table == "device_teams":
        if not (team or "").strip():
            yield "team_assignment: is missing"
        elif len(team or "") > TEAM_LIMIT:
            yield f"team_assignment: has {len(team or '')} characters; at most {TEAM_LIMIT}"
