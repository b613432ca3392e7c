"""Checks a rule as people write it, field by field, and says everything that is wrong at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from schemas.errors import RuleRefused
from schemas.rules import AlertSeverity, Handling, MatchType, Mode, Rule, SeverityMatch

MATCH_STRING_LIMIT = 4096
"""Bytes of UTF-8."""
TEAM_LIMIT = 100
DESCRIPTION_LIMIT = 4000
PRIORITY_LIMIT = 2**31 - 1
ARCS_LIMIT = 128

DESCRIPTIVE = frozenset(
    {"id", "source", "examples", "refusal", "because", "version", "created_at", "updated_at"},
)
"""Members that rules of other collections carry and that decide nothing. `id` counts where the caller says so."""

_Enum = TypeVar("_Enum", bound=StrEnum)
_OID = re.compile(r"\.?[0-2](\.(0|[1-9][0-9]{0,9}))*")


def rule_from_mapping(
    mapping: Mapping[str, Any],
    *,
    id: int,
    default_prod: Handling | None = None,
    default_dev: Handling | None = None,
) -> Rule:
    """The rule a mapping describes, in canonical form (handling as written in `Handling`, OID without leading dot).

    Nothing is coerced: "3" is no severity, true no priority. A handling left out takes the default given here, else
    it is missing. Raises RuleRefused with one line for each faulty field. The pattern of a regex is not compiled
    here: see `streams.adapters.patterns`.
    """
    reader = _Reader(mapping)
    match_type = reader.choice("match_type", MatchType, MatchType.CONTAINS)
    fields: dict[str, Any] = {
        "match_type": match_type,
        "match_string": reader.text("match_string", _match_string_fault),
        "trap_oid": reader.oid("trap_oid"),
        "syslog_severity": reader.whole("syslog_severity", 7),
        "severity_match": reader.choice("severity_match", SeverityMatch, SeverityMatch.EXACT),
        "priority": reader.whole("priority", PRIORITY_LIMIT, 100),
        "prod_handling": reader.handling("prod_handling", default_prod),
        "dev_handling": reader.handling("dev_handling", default_dev),
        "team_assignment": reader.text("team_assignment", _limit(TEAM_LIMIT, empty=False)),
        "alert_severity": reader.choice("alert_severity", AlertSeverity, None),
        "description": reader.text("description", _limit(DESCRIPTION_LIMIT, empty=True)),
        "is_active": reader.switch("is_active", True),
        "mode": reader.choice("mode", Mode, Mode.ACTIVE),
    }
    reader.unknown(fields.keys() | DESCRIPTIVE)
    reader.tested(match_type)
    if reader.problems:
        raise RuleRefused(reader.problems)
    return Rule(id=id, **fields)


class _Reader:
    """Reads fields of one mapping and collects what is wrong with them; null counts as absent."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self._mapping = mapping
        self.problems: list[str] = []

    def fault(self, name: str, why: str) -> None:
        self.problems.append(f"{name}: {why}")

    def text(self, name: str, fault_of: Callable[[str], str | None]) -> str | None:
        value = self._mapping.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.fault(name, f"must be text, not {_kind(value)}")
            return None
        if fault := _not_storable(value) or fault_of(value):
            self.fault(name, fault)
        return value

    def oid(self, name: str) -> str | None:
        value = self.text(name, oid_fault)
        return value.removeprefix(".") if value else None

    def whole(self, name: str, high: int, default: int | None = None) -> int | None:
        value = self._mapping.get(name)
        if value is None:
            return default
        if type(value) is not int:
            self.fault(name, f"must be a whole number, not {_kind(value)}")
        elif not 0 <= value <= high:
            self.fault(name, f"{_number(value)} is outside 0 to {high}")
        else:
            return value
        return default

    def switch(self, name: str, default: bool) -> bool:
        value = self._mapping.get(name)
        if value is not None and type(value) is not bool:
            self.fault(name, f"must be true or false, not {_kind(value)}")
        return value if type(value) is bool else default

    def choice(self, name: str, kind: type[_Enum], default: _Enum | None) -> _Enum | None:
        """A member of a closed set, in any case and with spaces around it."""
        value = self._mapping.get(name)
        if value is None:
            return default
        known = {member.value.lower(): member for member in kind}
        found = known.get(value.strip().lower()) if isinstance(value, str) else None
        if found is None:
            shown = repr(value[:60]) if isinstance(value, str) else _kind(value)
            self.fault(name, f"{shown} is none of {', '.join(member.value for member in kind)}")
        return found or default

    def handling(self, name: str, default: Handling | None) -> Handling | None:
        value = self._mapping.get(name)
        if value is None and default is None:
            self.fault(name, f"is missing; one of {', '.join(Handling)}")
        if isinstance(value, str) and value.strip().lower() == "suppress":
            return Handling.IGNORE
        return self.choice(name, Handling, default)

    def unknown(self, known: frozenset[str] | set[str]) -> None:
        for name in self._mapping:
            if name not in known:
                self.fault(repr(name)[:60], "is no field of a rule")

    def tested(self, match_type: MatchType | None) -> None:
        """The column that the match type tests must be there; the other has no effect."""
        if match_type is MatchType.ANY or match_type is None:
            return
        column, other = "match_string", "trap_oid"
        if match_type is MatchType.OID_PREFIX:
            column, other = other, column
        if self._mapping.get(column) is None:
            hint = ""
            if self._mapping.get(other) is not None:
                better = "oid_prefix" if other == "trap_oid" else "contains or regex"
                hint = f" (to test {other}, match_type is {better})"
            self.fault(column, f"is missing, and match_type {match_type} tests it{hint}")
        elif match_type is MatchType.REGEX and str(self._mapping[column]).startswith("(*"):
            self.fault(column, "a pattern must not start with (*: the engine's options are not the rule's to set")


def oid_fault(text: str) -> str | None:
    """Why a text is no OID, or None: up to 128 arcs of 0 to 2^32-1 without leading zeros; one leading dot may stand."""
    if not text:
        return "is empty"
    if not _OID.fullmatch(text):
        return f"{text[:60]!r} is no OID: numbers between dots, without leading zeros, the first 0, 1 or 2"
    arcs = text.removeprefix(".").split(".")
    if len(arcs) > ARCS_LIMIT:
        return f"has {len(arcs)} arcs; at most {ARCS_LIMIT}"
    if big := [arc for arc in arcs if int(arc) > 0xFFFFFFFF]:
        return f"arc {big[0]} is above 4294967295"
    return None


def _match_string_fault(text: str) -> str | None:
    if not text:
        return "is empty; to match every event, match_type is any"
    size = len(text.encode())
    return f"has {size} bytes of UTF-8; at most {MATCH_STRING_LIMIT}" if size > MATCH_STRING_LIMIT else None


def _limit(characters: int, *, empty: bool) -> Callable[[str], str | None]:
    def fault(text: str) -> str | None:
        if not empty and not text.strip():
            return "is empty"
        return f"has {len(text)} characters; at most {characters}" if len(text) > characters else None

    return fault


def _not_storable(text: str) -> str | None:
    """NUL ends a pattern early and PostgreSQL refuses it; a lone surrogate has no bytes."""
    if "\0" in text:
        return f"holds a NUL character at index {text.index(chr(0))}"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"holds a lone surrogate at index {error.start}"
    return None


def _kind(value: object) -> str:
    names = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _number(value: int) -> str:
    return str(value) if value.bit_length() < 64 else "a number of more than 64 bits"
