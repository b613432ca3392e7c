"""docs/PERFORMANCE.md and docs/SCALING.md are what the generator makes of the figures that are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bench import pages, scaling
from tests.bench.drawing import chart_sheet
from tests.bench.engines import RIVALS
from tests.bench.goals import BY_KEY, GOALS, Goal
from tests.bench.kept import Kept, kept
from tests.bench.parts import PARTS, chosen
from tests.bench.report import judged, medians, merged
from tests.bench.rivals.environments import LOCKS


def test_the_pages_are_what_the_generator_makes() -> None:
    assert pages.PERFORMANCE.read_text() == pages.performance(), "run: python -m tests.bench.pages"
    assert pages.SCALING.read_text() == scaling.page(kept("bench")), "run: python -m tests.bench.pages"
    if grown := kept("scale"):
        assert pages.PICTURE.read_text() == chart_sheet(grown.figures["scale"]), "run: python -m tests.bench.pages"


def test_every_goal_is_measured_by_one_part() -> None:
    measured = [key for part in PARTS for key in part.keys]
    assert sorted(measured) == sorted(BY_KEY)
    assert len(GOALS) == len(BY_KEY)


def test_a_part_is_found_by_its_name_and_by_each_of_its_figures() -> None:
    assert [part.name for part in chosen("latency", quick=False)] == ["latency"]
    assert [part.name for part in chosen("rss_mib_idle", quick=False)] == ["memory"]
    assert "scale" not in [part.name for part in chosen(None, quick=False)]


def test_rounds_become_medians_with_their_spread() -> None:
    figures = medians([{"rate": 1.0, "once": 5.0}, {"rate": 9.0}, {"rate": 2.0}])
    assert figures == {"rate": 2.0, "once": 5.0, "spread": {"rate": [1.0, 9.0]}}
    assert merged([figures, {"more": 1}])["spread"] == {"rate": [1.0, 9.0]}


@pytest.mark.parametrize(("value", "at_most", "reached"), [(2.0, False, True), (1.9, False, False), (2.1, True, False)])
def test_a_goal_is_reached_on_its_side_of_the_bound(value: float, at_most: bool, reached: bool) -> None:
    goal = Goal("figure", 2.0, "", at_most)
    assert judged({"figure": value}, {"figure": goal})["figure"]["reached"] is reached


def test_each_peer_has_hashes_for_all_it_needs() -> None:
    for peer in {rival.peer for rival in RIVALS if rival.peer}:
        lines = (LOCKS / f"{peer}.txt").read_text()
        assert lines.count("==") <= lines.count("--hash=sha256:")


def test_the_arithmetic_follows_the_costs() -> None:
    figures: dict[str, Any] = dict.fromkeys(
        (*scaling.NEEDED, "default_postgres_cpu_us", "default_wal_bytes", "default_audit_bytes"), 7.0
    )
    text = scaling.page(Kept("make bench", "2026-01-01", "0", {}, figures))
    assert "| workers (one core each) | 1 | 1 | 10 |" in text
    assert json.dumps(figures)
