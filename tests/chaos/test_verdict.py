"""A run is green, red or void: anomalies and problems make it red, too few effective faults or answers void."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.checker import Anomaly, Report
from tests.chaos.hit import Hit
from tests.chaos.plan import Step, plan
from tests.chaos.played import Played
from tests.chaos.verdict import IN_FLIGHT, verdict


def played(*hits: Hit, found: dict[str, int] | None = None, **changes: Any) -> Played:
    anomalies = [Anomaly(name, "here", "wrong") for name in found or {}]
    report = Report(anomalies, {"lost": 1000}, found or {})
    return Played(plan(7), list(hits), report=report, **{"sent": 1000, "answers": {"ok": 1000}} | changes)


def hit(do: str = "kill", target: str = "match-1", *, effective: bool = True, **more: Any) -> Hit:
    return Hit(Step(1, do, target), effective, **more)


def test_a_run_without_anomalies_is_green() -> None:
    answer = verdict(played(hit(takeover_s=7.0), hit("freeze")))
    assert (answer["ok"], answer["outcome"], answer["kills"]) == (True, "green", 1)
    assert answer["faults"] == {"kill": 1, "freeze": 1}
    assert answer["counts"] == {"lost": 1000}


@pytest.mark.parametrize(
    "seen",
    [
        played(hit(), found={"lost": 3}),
        played(hit(problem="no commit within 90 s")),
        played(hit(), problems=["match-1 ended with status 1 at the end"]),
        played(hit(takeover_s=15.1)),
        played(hit(), ended=["match-1 ended with status 1: a traceback"]),
        played(hit("kill", "postgres", accepted_s=3.1)),
        played(hit("kill", "forward-1"), repeats=IN_FLIGHT + 1),
        played(hit("kill", "match-1"), repeats=1),
        Played(plan(7), [hit()]),
    ],
)
def test_what_is_wrong_makes_it_red(seen: Played) -> None:
    answer = verdict(seen)
    assert (answer["ok"], answer["outcome"]) == (False, "red")


@pytest.mark.parametrize(
    "seen",
    [
        played(*[hit()] * 18, *[hit(effective=False)] * 2),
        played(hit(), answers={"ok": 940, "unknown": 60}),
        played(*[hit()] * 39, hit("duel", effective=False)),
    ],
)
def test_too_few_effective_faults_or_answers_make_it_void(seen: Played) -> None:
    answer = verdict(seen)
    assert (answer["ok"], answer["outcome"]) == (False, "void")


def test_what_became_of_late_batches_is_told() -> None:
    duels = [{"late": 5, "came": 5, "refused": 4}, {"late": 3, "came": 1, "refused": 1, "ended": 1}]
    answer = verdict(played(*(hit("duel", found=found) for found in duels)))
    assert (answer["ok"], answer["late_batches"]) == (True, {"came": 6, "refused": 5, "not_refused": 1})


def test_a_worker_that_the_watchdog_ended_is_told_and_no_defect() -> None:
    answer = verdict(played(hit(), ended=["match-1 ended with status 70: it stood still"]))
    assert (answer["ok"], len(answer["ended_by_themselves"])) == (True, 1)


def test_what_met_no_work_is_not_counted_as_a_kill() -> None:
    answer = verdict(played(*[hit()] * 39, hit(effective=False)))
    assert (answer["ok"], answer["kills"], answer["ineffective"]) == (True, 39, ["1:kill:match-1"])
