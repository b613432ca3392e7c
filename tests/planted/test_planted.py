"""Every planted bug turns a detector red that must notice it, and the same without the bug is green."""

from __future__ import annotations

import pytest

from ops.devstack.stack import Stack
from tests.chaos.checker import Anomaly
from tests.planted.bugs import BUGS
from tests.planted.run import on_servers

GREENS: dict[str, list[Anomaly]] = {}
"""What came of a scenario without a bug: several share it."""
CHEAPEST_HERE = [name for name, bug in BUGS.items() if not bug.histories]
CHEAPER_ELSEWHERE = [name for name, bug in BUGS.items() if bug.histories]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CHEAPEST_HERE)
async def test_a_bug_is_found_on_real_servers(name: str, servers: Stack) -> None:
    await _assert_found(servers, name)


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CHEAPER_ELSEWHERE)
async def test_a_bug_that_histories_show_is_found_on_real_servers_too(name: str, servers: Stack) -> None:
    await _assert_found(servers, name)


async def _assert_found(servers: Stack, name: str) -> None:
    result = await on_servers(servers, BUGS[name], GREENS)
    assert GREENS[BUGS[name].scenario] == []
    assert result.ok, result


def test_the_list_is_whole() -> None:
    """The 25 that must be there, and our own."""
    assert {*range(1, 26)} <= {bug.number for bug in BUGS.values()}
    assert len({bug.number for bug in BUGS.values()}) == len(BUGS)
