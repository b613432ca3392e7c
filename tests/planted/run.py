"""Looks for a planted bug where it is found cheapest: in simulated histories, or in a scenario on real servers."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from ops.devstack.stack import Stack
from tests import histories
from tests.chaos.checker import Anomaly
from tests.planted.bugs import BUGS, planted
from tests.planted.patches import Bug
from tests.planted.scenarios import SCENARIOS
from tests.planted.world import world

HISTORIES = 400
"""Looked through at most for one bug; most show within ten."""

TRIES = 3
"""Some scenarios are a race between two workers: on a starved machine the one may be done before the other begins."""


@dataclass(frozen=True)
class Result:
    """What came of one bug: where it was looked for, what turned red, how long that took."""

    number: int
    name: str
    breaks: str
    where: str
    expected: list[str]
    red: list[str]
    seconds: float
    first: str
    """The first anomaly of an expected detector."""
    green_without: bool
    """The same without the bug is right. None of a scenario that several bugs share is run twice."""

    @property
    def ok(self) -> bool:
        return bool(self.first) and self.green_without

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}


def in_histories(bug: Bug) -> Result:
    """Plays histories with the bug until one turns a detector red that must notice it; then that one without."""
    began = time.monotonic()
    for seed in range(HISTORIES):
        with planted(bug.name):
            found = histories.run(seed).anomalies
        if expected := [each for each in found if each.detector in bug.detectors]:
            green = histories.run(seed).ok
            return _result(bug, f"history {seed}", {each.detector for each in found}, began, str(expected[0]), green)
    return _result(bug, f"{HISTORIES} histories", set(), began, "", True)


async def on_servers(stack: Stack, bug: Bug, greens: dict[str, list[Anomaly]]) -> Result:
    """Plays the bug's scenario with it, and without it unless `greens` has what came of that."""
    began = time.monotonic()
    found, expected = await _tried(stack, bug)
    seconds = time.monotonic()
    if bug.scenario not in greens:
        greens[bug.scenario] = await run(stack, bug.scenario, None)
    red = {each.detector for each in found}
    first = f"{expected[0].detector} {expected[0].where}: {expected[0].detail}" if expected else ""
    return _result(bug, f"scenario {bug.scenario}", red, began, first, not greens[bug.scenario], until=seconds)


async def _tried(stack: Stack, bug: Bug) -> tuple[list[Anomaly], list[Anomaly]]:
    """What was wrong, and what of it the bug's detectors see, in the first of some tries in which they see anything."""
    found: list[Anomaly] = []
    for _ in range(TRIES):
        found = await run(stack, bug.scenario, bug.name)
        if expected := [each for each in found if each.detector in bug.detectors]:
            return found, expected
    return found, []


async def assert_found(stack: Stack, name: str, greens: dict[str, list[Anomaly]]) -> None:
    """The bug is found on the servers, and its scenario is green without it."""
    result = await on_servers(stack, BUGS[name], greens)
    assert greens[BUGS[name].scenario] == []
    assert result.ok, result


async def run(stack: Stack, scenario: str, bug: str | None) -> list[Anomaly]:
    """What was wrong in the end, or while the scenario ran."""
    stalls = bug is not None and BUGS[bug].stalls
    async with world(stack, bug, stalls=stalls) as made:
        await SCENARIOS[scenario](made)
        return (await made.books()).anomalies


def _result(bug: Bug, where: str, red: set[str], began: float, first: str, green: bool,
            *, until: float | None = None) -> Result:  # fmt: skip
    seconds = round((until or time.monotonic()) - began, 1)
    return Result(
        bug.number, bug.name, bug.breaks, where, sorted(bug.detectors), sorted(red), seconds, first[:300], green
    )
