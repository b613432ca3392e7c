"""Bugs in lanes, limits and deliveries are found by simulated histories: no server, a fraction of a second each."""

from __future__ import annotations

import pytest

from tests.planted.bugs import BUGS
from tests.planted.run import in_histories


@pytest.mark.parametrize("name", [name for name, bug in BUGS.items() if bug.histories])
def test_a_bug_is_found_by_a_history(name: str) -> None:
    result = in_histories(BUGS[name])
    assert result.ok, result
