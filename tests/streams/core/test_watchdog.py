"""The watchdog's verdict: what stands still for too long is named; waiting rightly is no standstill."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.watchdog import Chore, Signs, Watch, WatchdogPolicy, work_of

POLICY = WatchdogPolicy(loop_s=30, polls_s=60, commits_s=60, rebalance_s=150, work_s=120)


def watched(seconds: int, signs: Callable[[int], Signs], watch: Watch | None = None) -> tuple[int, str] | None:
    """When, looking every second, a verdict falls, and which."""
    watch = watch or Watch(POLICY)
    for second in range(seconds):
        if (verdict := watch.look(1000.0 + second, signs(second))) is not None:
            return second, verdict
    return None


@pytest.mark.parametrize(
    ("signs", "second", "words"),
    [
        (lambda s: Signs(turns=0), 31, "the event loop has not turned for 31 s"),
        (lambda s: Signs(turns=s, thread_turns=1), 31, "the consumer's thread has not turned for 31 s"),
        (lambda s: Signs(turns=s, flowing=True), 61, "no poll has ended for 61 s"),
        (lambda s: Signs(turns=s, uncommitted=True), 61, "no offset was committed for 61 s"),
        (lambda s: Signs(turns=s, rebalancing=True), 151, "the worker has waited for its partitions for 151 s"),
        (lambda s: Signs(turns=s, work={"t:1": s, "t:2": 7}), 121, "t:2 has finished nothing for 121 s"),
        (lambda s: Signs(turns=s, reading={"t:3": 9}), 121, "t:3 was not read for 121 s"),
    ],
)  # fmt: skip
def test_what_stands_still_is_named_once_its_time_is_over(
    signs: Callable[[int], Signs], second: int, words: str
) -> None:
    found = watched(1000, signs)
    assert found is not None
    assert found[0] == second
    assert words in found[1]


@pytest.mark.parametrize(
    "signs",
    [
        lambda s: Signs(turns=s),
        lambda s: Signs(turns=s, thread_turns=s // 20),
        lambda s: Signs(turns=s, flowing=True, polls=s // 50),
        lambda s: Signs(turns=s, flowing=s % 50 > 0),
        lambda s: Signs(turns=s, uncommitted=True, commits=s // 50),
        lambda s: Signs(turns=s, uncommitted=True, broker=False),
        lambda s: Signs(turns=s, rebalancing=True, broker=False),
        lambda s: Signs(turns=s, rebalancing=s % 140 > 0),
        lambda s: Signs(turns=s, work={"t:1": s // 100, "t:2": s // 110}),
        lambda s: Signs(turns=s, work={"t:1": 0} if s % 100 else {}),
        lambda s: Signs(turns=s, reading={"t:3": s // 100}),
    ],
    ids=["idle", "slow thread", "slow polls", "full", "slow commits", "no broker", "no broker to join", "rebalances",
         "slow work", "held back", "slow log"],
)  # fmt: skip
def test_what_moves_or_is_excused_is_left_alone(signs: Callable[[int], Signs]) -> None:
    assert watched(2000, signs) is None


def test_a_process_that_was_frozen_gets_its_time_again() -> None:
    watch = Watch(POLICY)
    signs = Signs(turns=1, flowing=True, uncommitted=True, work={"t:1": 1})
    assert watch.look(0.0, signs) is None
    assert watch.look(3600.0, signs) is None
    assert watch.look(3604.0, signs) is None
    found = watched(100, lambda _: signs, watch)
    assert found is None or found[0] >= 31


def test_one_number_scales_every_time() -> None:
    assert WatchdogPolicy.of(60.0) == WatchdogPolicy()
    short = WatchdogPolicy.of(4.0, slowest_s=10.0)
    assert (short.loop_s, short.polls_s, short.commits_s, short.rebalance_s, short.work_s) == (2, 4, 4, 10, 20)


def test_work_is_in_hand_while_it_is_done_and_each_time_counts() -> None:
    posting, writing = Chore("posting"), Chore("writing")
    with posting, posting:
        assert work_of(posting, writing) == {"posting": 0}
    assert work_of(posting, writing) == {}
    with suppress(ValueError), posting:
        raise ValueError
    with posting:
        assert work_of(posting) == {"posting": 3}


@given(st.lists(st.tuples(st.floats(0.1, 4.9), st.booleans()), max_size=200))
def test_nothing_is_given_up_before_its_limit(steps: list[tuple[float, bool]]) -> None:
    watch, now, turns, moved = Watch(POLICY), 0.0, 0, 0.0
    for wait, turned in steps:
        now += wait
        if turned or now == wait:
            turns, moved = turns + 1, now
        verdict = watch.look(now, Signs(turns=turns))
        assert (verdict is not None) == (now - moved > POLICY.loop_s)
        if verdict:
            return
