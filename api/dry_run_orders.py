"""What a dry run is asked: the rules that are proposed, and the events that they are to decide over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api.host_lists import Hostname
from api.problems import Fault, Invalid
from api.rule_bodies import RuleBody, read_rule, read_rules
from api.rules import LARGEST_ID
from schemas.json_faults import faults_in
from schemas.rules import Rule
from streams.core.dry_run import MOST_EVENTS, Proposal

MOST_LINES = 1000
MOST_RULES = 10_000

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


def read_proposal(data: object) -> tuple[DryRun, Proposal]:
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
