"""Jobs: replays that go on beside their caller; how one stands, from its record and who holds its lock."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum


class JobState(StrEnum):
    """`interrupted`: it was begun, and nobody works on it just now; where the API began it, the API goes on with it."""

    WAITING = "waiting"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


def state_of(*, finished_at: dt.datetime | None, held: bool, begun: bool) -> JobState:
    """`held`: somebody has its lock; `begun`: it took letters, or stopped for a reason."""
    if finished_at is not None:
        return JobState.FINISHED
    if held:
        return JobState.RUNNING
    return JobState.INTERRUPTED if begun else JobState.WAITING


def total_of_replay(left: int, *, selected: int, refused: int, most: int | None) -> int:
    """How many letters a replay will have looked at in the end: `left` are still open, what it refused among them.

    `most` bounds what it sends. Letters that others take or park meanwhile make it less, never less than `selected`.
    """
    total = selected - refused + left
    return max(selected, total if most is None else min(total, most + refused))
