"""A small fuzz run: as any role, no server error and no answer beside the documentation."""

from __future__ import annotations

import asyncio

from ops.devstack.stack import Stack
from tests.fuzz.roles import ROLES
from tests.fuzz.world import world
from tests.integration.conftest import Database

CALLS = 250


async def test_what_the_documentation_allows_and_forbids_is_what_happens(broker: Stack, database: Database) -> None:
    from tests.fuzz.run import fuzz  # schemathesis takes a second to import, and no other test needs it

    async with world(broker, database) as asked:
        report = await asyncio.to_thread(fuzz, asked, CALLS, 0)
    assert report["failures"] == []
    assert report["ok"]
    assert report["calls"] >= CALLS
    assert [role.name for role in ROLES if not report["by_role"][role.name]["statuses"]] == []
    assert report["by_role"]["admin"]["statuses"]["200"] > 20
