"""What a dry run takes for an order: which rules are proposed, and what is said of one that is none."""

from __future__ import annotations

from typing import Any

import pytest

from api.dry_run_orders import MOST_RULES, read_proposal
from api.problems import Invalid

RULE = {"match_type": "contains", "match_string": "x", "prod_handling": "Log_only", "dev_handling": "Log_only"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"rules": [RULE] * (MOST_RULES + 1)}, f"/rules: has {MOST_RULES + 1} rules; at most {MOST_RULES}"),
        ({"rules": "none"}, "/rules: must be a list of rules"),
        ({"rules": [RULE, {}]}, "/rules/1"),
        ({"rule": {}}, "/rule"),
        ({"rule_id": 0}, "rule_id"),
        ([], "object"),
    ],
)
def test_an_order_that_is_none_is_told_where(asked: Any, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_proposal(asked)
    assert told in str(refused.value)


def test_a_rule_of_its_own_is_added_or_takes_the_place_of_another() -> None:
    _, added = read_proposal({"rule": RULE, "last": 1})
    assert ([rule.id for rule in added.rules], added.without, added.whole) == ([0], frozenset(), False)
    _, changed = read_proposal({"rule": RULE, "rule_id": 7, "last": 1})
    assert [rule.id for rule in changed.rules] == [7]
    _, retired = read_proposal({"rule_id": 7, "last": 1})
    assert (retired.rules, retired.without) == ((), frozenset({7}))
    _, whole = read_proposal({"rules": [RULE, RULE], "last": 1})
    assert (len(whole.rules), whole.whole) == (2, True)
