"""How a job stands, and how far it is."""

from __future__ import annotations

import datetime as dt

import pytest

from streams.core.jobs import JobState, state_of, total_of_replay

DONE = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("finished_at", "held", "begun", "state"),
    [
        (None, False, False, JobState.WAITING),
        (None, True, False, JobState.RUNNING),
        (None, True, True, JobState.RUNNING),
        (None, False, True, JobState.INTERRUPTED),
        (DONE, False, True, JobState.FINISHED),
        (DONE, True, False, JobState.FINISHED),
    ],
)
def test_states(finished_at: dt.datetime | None, held: bool, begun: bool, state: JobState) -> None:
    assert state_of(finished_at=finished_at, held=held, begun=begun) is state


@pytest.mark.parametrize(
    ("left", "selected", "refused", "most", "total"),
    [
        (50, 0, 0, None, 50),
        (30, 20, 0, None, 50),
        (35, 20, 5, None, 50),  # those it refused are still open
        (5, 50, 5, None, 50),
        (50, 0, 0, 10, 10),
        (45, 10, 5, 10, 15),
        (0, 20, 5, None, 20),  # others were faster
        (0, 0, 0, None, 0),
    ],
)
def test_a_replay_ends_where_its_total_is(left: int, selected: int, refused: int, most: int | None, total: int) -> None:
    assert total_of_replay(left, selected=selected, refused=refused, most=most) == total
