"""What producers of a history write, under which rules, and what must become of it, by own arithmetic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from schemas.config import DynamicConfig
from schemas.rules import Handling, Rule
from streams.core.matching import Knowledge
from tests.builders import rule, rule_set

HOSTS = tuple(f"h{number}" for number in range(5))


class Sort(StrEnum):
    """What a record is."""

    MATCHED = "matched"
    LOGGED = "logged"
    IGNORED = "ignored"
    UNMATCHED = "unmatched"
    REJECTED = "rejected"
    TOMBSTONE = "tombstone"
    POISON = "poison"
    """The database refuses its row."""


_TEXTS = {
    Sort.MATCHED: "link down",
    Sort.LOGGED: "login of",
    Sort.IGNORED: "noise",
    Sort.UNMATCHED: "something else",
    Sort.POISON: "link down poison",
}
_VISIBLE = (Sort.MATCHED, Sort.LOGGED, Sort.POISON)


@dataclass(frozen=True, slots=True)
class Sent:
    """One record as it was written. `timestamp` is the broker's, in ms, unlike any other of its partition."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    sort: Sort
    host: str
    severity: int | None
    value: bytes | None
    replay: bool = False

    @property
    def name(self) -> tuple[str, int, int, int]:
        return self.topic, self.partition, self.offset, self.timestamp


def value_of(sort: Sort, host: str, severity: int | None, number: int) -> bytes | None:
    if sort is Sort.TOMBSTONE:
        return None
    if sort is Sort.REJECTED:
        return b"{no json %d" % number
    body: dict[str, Any] = {"timestamp": "2026-03-01T12:00:00Z", "hostname": host}
    body["message"] = f"{_TEXTS[sort]} {number}"
    if severity is not None:
        body["syslog_severity"] = severity
    return json.dumps(body).encode()


@cache
def _compiled(variant: int) -> Knowledge:
    """The rules: of the other variant what was paged is only logged."""
    paged = Handling.PAGE_AND_TICKET if variant == 0 else Handling.LOG_ONLY
    rules: tuple[Rule, ...] = (
        rule(id=1, version=variant + 1, match_string="link down", prod_handling=paged),
        rule(id=2, match_string="login", prod_handling=Handling.LOG_ONLY),
        rule(id=3, match_string="noise", prod_handling=Handling.IGNORE),
    )
    return Knowledge.of(rule_set(*rules))


def knowledge(version: int, variant: int, config: DynamicConfig) -> Knowledge:
    compiled = _compiled(variant)
    rules = rule_set(*compiled.rule_set.rules, version=version, digest=f"{version:064x}", config=config)
    return Knowledge(rules, compiled.matcher)


def expected(sent: Sent, known: Knowledge, depth: int) -> str:
    """The disposition that a record must get where so many alerts wait."""
    if sent.sort in (Sort.REJECTED, Sort.TOMBSTONE):
        return "rejected"
    if sent.sort in (Sort.IGNORED, Sort.LOGGED):
        return sent.sort.value
    if sent.sort is Sort.UNMATCHED:
        return "unhandled"
    if sent.sort is Sort.POISON:
        return "rejected"
    if known.rule_set.rules[0].prod_handling is Handling.LOG_ONLY:
        return "logged"
    return "shed" if sheds(sent.severity, depth, known.rule_set.config) else "alerted"


def sheds(severity: int | None, depth: int, config: DynamicConfig) -> bool:
    """DESIGN section 7: least severe first, from 7 at the threshold to just above the floor at twice that."""
    shed, floor = config.alerter_queue_shed_threshold, config.alerter_shed_severity_floor
    if config.alerter_shed_mode != "dlq" or depth < shed or floor >= 7:
        return False
    least = max(floor + 1, 7 - (depth - shed) * (6 - floor) // shed)
    return (4 if severity is None else severity) >= least


def is_audited(disposition: str, config: DynamicConfig) -> bool:
    return disposition in ("alerted", "logged", "shed") or (
        disposition == "unhandled" and config.audit_unhandled_events
    )
