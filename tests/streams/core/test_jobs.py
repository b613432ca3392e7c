"""How a job stands."""

from __future__ import annotations

import datetime as dt

import pytest

from streams.core.jobs import JobState, state_of

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
