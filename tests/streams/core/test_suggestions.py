"""Suggested patterns: they match the message they come from, and its likes, whatever stands in it."""

from __future__ import annotations

import pytest

from schemas.events import Event
from schemas.rules import MatchType
from streams.core.matching import compile_rules
from streams.core.suggestions import suggested
from tests.builders import rule, rule_set

LIKES = (
    ("fan 3 failed (slot 0x1f): 71.5%", "fan 12 failed (slot 0xAB): 9.0%"),
    ("session 550e8400-e29b-41d4-a716-446655440000 of é*lan+ ended", "session 7 of É*lan+ ended"),
    ("a[1]{2}|^$.?\\b/", "a[9]{22}|^$.?\\b/"),
    ("link down", "Link down"),
    ("tab\there\x01 5", "tab\there\x01 6"),
)


@pytest.mark.parametrize(("sample", "like"), LIKES)
def test_a_pattern_takes_its_message_and_the_likes_of_it(sample: str, like: str) -> None:
    match_type, text = suggested(sample)
    matcher = compile_rules(rule_set(rule(match_type=match_type, match_string=text)))
    events = [Event(timestamp=None, hostname="h", message=one) for one in (sample, like, "other " + sample[1:])]
    assert [found is not None for found in matcher.match_all(events)] == [True, True, False]


def test_what_is_all_number_is_looked_for_as_it_is_and_a_cut_one_loses_its_last_word() -> None:
    assert suggested(" 12 34 ") == (MatchType.CONTAINS, "12 34")
    assert suggested("a" * 150 + " " + "b" * 49) == (MatchType.CONTAINS, "a" * 150)
