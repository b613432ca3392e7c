"""Progress as lines: rarely, and with how long it may still take."""

from __future__ import annotations

from ops.cli.progress import LINE_EVERY_S, Lines


def test_a_line_is_told_only_now_and_then_with_the_time_left() -> None:
    now, told = [100.0], list[str]()
    lines = Lines("replaying", 1000, lambda: now[0])
    for _ in range(20):
        now[0] += 1
        lines.add(10, told.append)
    assert told == [
        "replaying: 100 of 1000, about 90 s left",
        "replaying: 200 of 1000, about 80 s left",
    ]
    assert LINE_EVERY_S == 10


def test_more_than_expected_is_no_time_left() -> None:
    now, told = [0.0], list[str]()
    lines = Lines("replaying", 1, lambda: now[0])
    now[0] = 11
    lines.add(5, told.append)
    assert told == ["replaying: 5 of 1, about 0 s left"]
