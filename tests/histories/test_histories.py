"""Histories themselves: the same seed is the same history, shrinking keeps what is red, and planted bugs are found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.agents.match_place import MatchPlace
from tests.histories import follow, plan, run
from tests.histories.loop import Process, StandstillError, VirtualLoop
from tests.histories.shrink import only, shrunk
from tests.histories.tables import Tables


def test_one_seed_is_one_history() -> None:
    first, second = run(11), run(11)
    assert first.plan == second.plan
    assert (first.effects, first.looked_at) == (second.effects, second.looked_at)


def _anything_goes(self: Tables, place: tuple[str, int], offset: int, epoch: int) -> bool:
    return place in self.stands


async def _nothing(self: MatchPlace) -> None: ...


def _red(detector: str) -> int:
    """The first seed at which this detector is red."""
    return next(seed for seed in range(1, 400) if detector in {each.detector for each in run(seed).anomalies})


def test_without_the_compare_and_set_records_are_decided_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tables, "stands_at", _anything_goes)
    assert _red("twice")


def test_leftovers_that_nobody_sends_are_lost_and_the_history_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MatchPlace, "publish_left_over", _nothing)
    seed = _red("alert_lost")
    kept = shrunk(seed)
    assert len(kept) < len(plan(seed).steps)
    assert not follow(only(plan(seed), kept)).ok


def test_time_jumps_to_the_next_timer() -> None:
    loop = VirtualLoop()
    loop.run_until_complete(asyncio.sleep(3600))
    assert loop.time() == 3600
    loop.close()


def test_a_loop_in_which_nothing_can_happen_says_so() -> None:
    loop = VirtualLoop()
    waits = asyncio.Event().wait()
    with pytest.raises(StandstillError):
        loop.run_until_complete(waits)
    loop.over = True
    _cancel_all(loop)


@pytest.mark.parametrize("fuse", range(5))
def test_a_killed_process_runs_no_further_turn_and_a_frozen_one_goes_on_where_it_was(fuse: int) -> None:
    loop = VirtualLoop()
    done: list[int] = []

    async def work() -> None:
        try:
            for number in range(9):
                done.append(number)
                await asyncio.sleep(1)
        finally:
            done.append(-1)

    process = Process("worker", lambda: None)
    process.fuse = fuse
    loop.create_task(work(), context=process.context)
    loop.run_until_complete(asyncio.sleep(20))
    assert process.dead
    assert -1 not in done
    assert len(done) == (fuse + 1) // 2
    _cancel_all(loop, process)
    assert done[-1:] == ([-1] if fuse else [])


def test_a_frozen_process_goes_on_where_it_was() -> None:
    loop = VirtualLoop()
    done: list[float] = []

    async def work() -> None:
        for _ in range(4):
            done.append(loop.time())
            await asyncio.sleep(1)

    process = Process("worker", lambda: None)
    task = loop.create_task(work(), context=process.context)
    loop.run_until_complete(asyncio.sleep(1.5))
    process.frozen = True
    loop.run_until_complete(asyncio.sleep(10))
    process.thaw(loop)
    loop.run_until_complete(task)
    assert done == [0, 1, 11.5, 12.5]
    loop.close()


def _cancel_all(loop: VirtualLoop, *processes: Process) -> None:
    loop.over = True
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    for process in processes:
        process.thaw(loop)
    loop.run_until_complete(_gone(tasks))
    loop.close()


async def _gone(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
