"""Replays as jobs: begun by a request, shown with their state; the lock of each tells whether somebody works on it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from streams.adapters.letter_filters import filter_values
from streams.adapters.locks import lock_key
from streams.adapters.replay_claims import BEFORE_IT, Bounds, Replay, Replays, replay_of
from streams.adapters.scans import Scan
from streams.adapters.searches import page
from streams.adapters.selects import total_of
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.jobs import JobState, state_of, total_of_replay
from streams.core.paging import Page
from streams.core.replay import LetterFilter
from streams.core.searches import Stretch

JOBS = Scan("replays", "created_at", ("id",), before=("00000000-0000-0000-0000-000000000000",))
REPLAY_LOCK = "replay"
"""What the lock of a replay is for; everybody who sends its letters holds it."""

_BY_ID = "SELECT * FROM replays WHERE id = ANY($1)"
_LEFT = f"SELECT 1 FROM dead_letters d WHERE {BEFORE_IT}"  # noqa: S608 - constants
_HELD = """
SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
 WHERE locktype = 'advisory' AND objsubid = 1 AND granted
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


@dataclass(frozen=True, slots=True)
class Job:
    replay: Replay
    state: JobState
    total: int | None = None
    """Letters it will have looked at in the end, beyond 100,000 an estimate; None in lists, and of finished ones."""


class ReplayJobs:
    """On transactions bounded in time. Raises StoreUnavailable."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def begin(self, author: Author, chosen: LetterFilter, bounds: Bounds) -> Job:
        """Records the replay, and who ordered it; whoever runs jobs finds it."""
        async with self._transactions.writing(author) as connection:
            record = await Replays(connection).begin(uuid.uuid4(), author.actor, author.reason, chosen, bounds)
        return Job(record, JobState.WAITING)

    async def get(self, job_id: uuid.UUID) -> Job | None:
        async with self._transactions.reading() as connection:
            found = await _jobs(connection, [job_id])
            if not found or found[0].state is JobState.FINISHED:
                return found[0] if found else None
            return replace(found[0], total=await _total(connection, found[0].replay))

    async def page(self, stretch: Stretch) -> Page[Job]:
        async with self._transactions.reading() as connection:
            found = await page(connection, JOBS, stretch, [[]], [], columns=())
            return Page(tuple(await _jobs(connection, [row["id"] for row in found.items])), found.next)


async def _total(connection: Any, replay: Replay) -> int:
    left, _ = await total_of(connection, _LEFT, (*filter_values(replay.chosen), replay.created_at))
    return total_of_replay(left, selected=replay.selected, refused=replay.refused, most=replay.bounds.most)


async def _jobs(connection: Any, ids: Sequence[uuid.UUID]) -> list[Job]:
    """The jobs of these ids, in their order, where they exist."""
    rows = {row["id"]: replay_of(row) for row in await connection.fetch(_BY_ID, ids)}
    held = {row[0] for row in await connection.fetch(_HELD)} if rows else set()
    return [_job(rows[one], held) for one in ids if one in rows]


def _job(replay: Replay, held: set[int]) -> Job:
    begun = replay.selected > 0 or replay.problem is not None
    locked = lock_key(REPLAY_LOCK, replay.id) in held
    return Job(replay, state_of(finished_at=replay.finished_at, held=locked, begun=begun))
