"""Shadows: rules that can decide nothing, since one that ranks before them matches all that they match."""

from __future__ import annotations

import string
from collections.abc import Iterable

from schemas.rules import MatchType, Mode, Rule
from streams.core.matching import passing_severities

_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
"""Letters beyond ASCII are compared as they are, so that nothing is claimed that the engine may see otherwise."""


def shadow_of(rule: Rule, rules: Iterable[Rule]) -> Rule | None:
    """The first of `rules`, which stand in rank order, that leaves nothing to this one; None where none is known to.

    Only what can be told from the text alone is told: two regular expressions are compared as texts.
    """
    if not _decides(rule):
        return None
    for other in rules:
        if other.rank >= rule.rank:
            return None
        if _decides(other) and _takes_all(other, rule):
            return other
    return None


def _decides(rule: Rule) -> bool:
    return rule.is_active and rule.mode is Mode.ACTIVE


def _takes_all(first: Rule, second: Rule) -> bool:
    """Whether `first` matches every event that `second` does."""
    return not passing_severities(second) & ~passing_severities(first) and _covers(first, second)


def _covers(first: Rule, second: Rule) -> bool:
    if first.match_type is MatchType.ANY:
        return True
    if first.match_type is not second.match_type:
        return False
    if first.match_type is MatchType.OID_PREFIX:
        return f"{second.trap_oid}.".startswith(f"{first.trap_oid}.")
    outer, inner = second.match_string or "", first.match_string or ""
    if first.match_type is MatchType.REGEX:
        return outer == inner
    return inner.translate(_FOLD) in outer.translate(_FOLD)
