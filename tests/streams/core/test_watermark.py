"""The committed position never steps over an offset that is not acknowledged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.watermark import Watermark


@pytest.mark.parametrize(
    ("start", "acks", "position"),
    [
        (100, [(101, 111)], 100),  # 100 in flight: Faust would commit 111
        (0, [(5, 6)], 0),  # Faust would commit 6
        (100, [(106, 107), (100, 105)], 105),  # 105 in flight: Faust would commit 107
        (0, [(0, 10)], 10),
        (0, [(10, 20), (0, 10)], 20),
        (0, [(10, 20), (20, 30), (5, 10)], 0),
        (50, [(0, 60)], 60),  # a redelivery that begins below the start
        (50, [(0, 40)], 50),
        (0, [(0, 10), (0, 10)], 10),
        (0, [(5, 10), (5, 20), (0, 5)], 20),
    ],
)
def test_position(start: int, acks: list[tuple[int, int]], position: int) -> None:
    mark = Watermark(start)
    for first, after in acks:
        mark.ack(first, after)
    assert mark.position == position


def test_nothing_to_commit_twice() -> None:
    mark = Watermark(0)
    mark.ack(0, 10)
    assert mark.to_commit() == 10
    mark.committed = 10
    assert mark.to_commit() is None


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_any_order_of_acks_gives_the_first_hole(sizes: list[int], shuffle: object) -> None:
    ranges, at = [], 0
    for size in sizes:
        ranges.append((at, at + size))
        at += size
    shuffled = list(ranges)
    shuffle.shuffle(shuffled)  # type: ignore[attr-defined]
    mark, done = Watermark(0), set()
    for first, after in shuffled:
        mark.ack(first, after)
        done.update(range(first, after))
        hole = next(offset for offset in range(at + 1) if offset not in done)
        assert mark.position == hole


def test_a_position_that_nobody_set_is_not_committed_before_something_is_acknowledged() -> None:
    mark = Watermark(7, committed=7)
    assert mark.to_commit() is None
    mark.ack(7, 9)
    assert mark.to_commit() == 9
