"""Every scope has a role that has it alone, and no call is lost between roles."""

from __future__ import annotations

import pytest

from schemas.scopes import Scope
from tests.fuzz.roles import ALLOWED, FORBIDDEN, PUBLIC, READS, ROLES, shares


@pytest.mark.parametrize("calls", [0, 1, 7, 250, 5000])
def test_shares_sum_up_and_follow_the_weights(calls: int) -> None:
    weights = [6, 1, 1, 2, 6, 1] * 20
    parts = list(shares(calls, weights))
    assert sum(parts) == calls
    assert all(abs(part - calls * weight / sum(weights)) < 1 for part, weight in zip(parts, weights, strict=True))


def test_each_scope_that_writes_has_a_role_of_its_own() -> None:
    alone = {scope for role in ROLES if len(role.scopes) == 1 for scope in role.scopes}
    assert alone == set(Scope) - READS
    assert {role.name for role in ROLES if not role.scopes} == {"none"}


def test_most_calls_go_where_a_role_may_go() -> None:
    reader = next(role for role in ROLES if role.name == "reader")
    assert [reader.weight(scope) for scope in ("rules:read", None, "rules:write")] == [ALLOWED, PUBLIC, FORBIDDEN]
