"""A plan depends on its arguments alone, holds what was asked for, and survives being written."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.plan import FAULTS, KILLED, TARGETS, Plan, plan


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    assert plan(7) == plan(7)
    assert plan(7).hash == plan(7).hash != plan(8).hash


def test_a_plan_survives_being_written() -> None:
    made = plan(7, kills=12, events=500)
    assert Plan.from_json(made.to_json()) == made


def test_every_target_and_every_fault_is_there_by_default() -> None:
    steps = plan(7).steps
    killed = Counter(step.target for step in steps if step.do == "kill")
    assert killed.total() == 40
    assert set(killed) == {name for target in TARGETS for name, _ in KILLED[target]}
    assert {"freeze", "term", "commit_cut", "produce_cut", "rules", "config", "replay", "disk", "clock"} < {
        step.do for step in steps
    }
    assert sum(step.times for step in steps if step.do == "commit_cut") >= 50
    assert sum(step.do == "freeze" for step in steps) >= 5


def test_among_few_kills_there_are_several_targets() -> None:
    killed = {step.target for step in plan(7, kills=8).steps if step.do == "kill"}
    assert {"match-1", "match-2", "match-3", "postgres", "kafka", "forward-1"} <= killed


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_alone_is_all_that_is_killed(target: str) -> None:
    steps = plan(7, kills=10, targets=[target], faults=[]).steps
    assert len(steps) == 10
    assert {step.target for step in steps} <= {name for name, _ in KILLED[target]}


def test_no_bit_is_flipped_where_nothing_guards_it() -> None:
    flipped = {step.target for seed in range(20) for step in plan(seed, faults=["wire"]).steps if step.do == "flip"}
    assert flipped == {"kafka", "receiver"}


def test_faults_alone_are_possible() -> None:
    assert {step.do for step in plan(7, kills=0, faults=["freeze"]).steps} == {"freeze"}
    assert set(FAULTS) > {"wire"}
