"""Planted bugs of the match worker turn a detector red on real servers; the same without the bug is green."""

from __future__ import annotations

import pytest

from ops.devstack.stack import Stack
from tests.chaos.checker import Anomaly
from tests.planted import match_scenarios
from tests.planted.bugs import BUGS
from tests.planted.run import assert_found

HERE = [bug for bug in BUGS.values() if hasattr(match_scenarios, bug.scenario)]
GREENS: dict[str, list[Anomaly]] = {}
"""What came of a scenario without a bug: several share it."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [bug.name for bug in HERE if bug.in_the_gate and not bug.histories])
async def test_a_bug_is_found_on_real_servers(name: str, servers: Stack) -> None:
    await assert_found(servers, name, GREENS)


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [bug.name for bug in HERE if bug.histories or not bug.in_the_gate])
async def test_every_other_bug_is_found_on_real_servers_too(name: str, servers: Stack) -> None:
    await assert_found(servers, name, GREENS)


def test_the_list_is_whole() -> None:
    """The 25 that must be there, and our own."""
    numbers = [bug.number for bug in BUGS.values()]
    assert {*range(1, 26)} <= set(numbers)
    assert len(set(numbers)) == len(numbers)
