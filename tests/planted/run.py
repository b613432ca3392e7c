"""Runs a scenario with a bug or without, and says what the checker found."""

from __future__ import annotations

from ops.devstack.stack import Stack
from tests.chaos.checker import Anomaly
from tests.planted.bugs import BUGS
from tests.planted.scenarios import SCENARIOS
from tests.planted.world import world


async def run(stack: Stack, scenario: str, bug: str | None) -> list[Anomaly]:
    """What was wrong in the end, or while the scenario ran."""
    stalls = bug is not None and BUGS[bug].stalls
    async with world(stack, bug, stalls=stalls) as made:
        await SCENARIOS[scenario](made)
        return (await made.books()).anomalies
