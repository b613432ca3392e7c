"""Bugs in the lane of a partition: where it begins, what it skips, when it acknowledges, publishes and dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from schemas.errors import Fenced
from streams import lanes
from streams.agents import match_lane, match_place
from streams.agents.match_lane import MatchLane
from streams.agents.match_place import MatchPlace
from streams.core.batches import PolledBatch
from streams.core.matching import Knowledge, Matcher
from streams.core.progress import Behind, Progress, Todo
from streams.core.work import Decided, Work
from streams.pauses import PauseReason
from tests.planted.patches import Collection, Patches

BUGS = Collection()


@BUGS.bug(1, "a batch is acknowledged as soon as its lane takes it", "progress", scenario="locked", histories=True)
def ack_before_commit(patches: Patches) -> None:
    handle = MatchLane._handle

    async def _handle(self: MatchLane, batches: Sequence[PolledBatch]) -> None:
        for batch in batches:
            batch.acknowledge()
        await handle(self, batches)

    patches.replace(MatchLane, "_handle", _handle)


@BUGS.bug(2, "reading begins where Kafka says, and what lies between is taken for gone", "lost", "ledger",
          scenario="meddled", histories=True)  # fmt: skip
def start_at_kafkas_offset(patches: Patches) -> None:
    look = match_place.still_to_do

    async def open_(self: MatchPlace) -> None:
        self._pauses.want(self._id, PauseReason.LOCATING)
        try:
            while not self._waits.revoked:
                if await self._locate() is not None:
                    return await self.publish_left_over()
                await asyncio.sleep(match_place.HALT_RECHECK_S)
        finally:
            self._pauses.release(self._id, PauseReason.LOCATING)

    def still_to_do(batches: Sequence[PolledBatch], expected: int, **_: Any) -> Todo | Behind | str:
        first, *rest = batches
        return look([replace(first, first=min(first.first, expected)), *rest], expected)

    patches.replace(MatchPlace, "open", open_)
    patches.replace(match_place, "still_to_do", still_to_do)


@BUGS.bug(5, "a fenced owner reads next_offset afresh and writes what it has in hand there", "zombie", "ledger", "lost",
          "twice", "progress", "stuck", scenario="two_owners", histories=True)  # fmt: skip
def fenced_owner_writes(patches: Patches) -> None:
    commit = MatchLane._commit

    async def _commit(self: MatchLane, decided: Decided) -> Progress:
        try:
            return await commit(self, decided)
        except Fenced:
            fresh = await self._shared.store.progress(*self._id)
            assert fresh is not None
            self._place.progress = fresh
            length = decided.work.after - decided.work.first
            decided.work = replace(decided.work, first=fresh.next_offset, after=fresh.next_offset + length)
            return await commit(self, decided)

    patches.replace(MatchLane, "_commit", _commit)


@BUGS.bug(6, "alerts are published before their batch is committed", "ghost", "blame",
          scenario="cut_before_commit",
          histories=True)  # fmt: skip
def publish_before_commit(patches: Patches) -> None:
    commit = MatchLane._commit

    async def _commit(self: MatchLane, decided: Decided) -> Progress:
        await self._shared.outbox.publish(decided)
        return await commit(self, decided)

    patches.replace(MatchLane, "_commit", _commit)


@BUGS.bug(7, "what an earlier owner committed and did not publish is never sent", "alert_lost", "stuck",
          scenario="cut_after_commit", stalls=True, histories=True)  # fmt: skip
def left_over_never_sent(patches: Patches) -> None:
    async def publish_left_over(_: MatchPlace) -> None:
        return

    patches.replace(MatchPlace, "publish_left_over", publish_left_over)


@BUGS.bug(10, "the last record done is not compared: a replaced log is not noticed", "lost", "bytes",
          scenario="replaced_log", histories=True)  # fmt: skip
def replaced_log_unnoticed(patches: Patches) -> None:
    def _verify_previous(self: MatchPlace, _: Todo) -> None:
        self._verify = False

    patches.replace(MatchPlace, "_verify_previous", _verify_previous)


@BUGS.bug(11, "of a redelivered batch one record too many is skipped", "lost", "ledger", scenario="cut_after_commit",
          histories=True)  # fmt: skip
def redelivery_skips_one_too_many(patches: Patches) -> None:
    look = match_place.still_to_do

    def still_to_do(batches: Sequence[PolledBatch], expected: int, **more: Any) -> Todo | Behind | str:
        todo = look(batches, expected, **more)
        if isinstance(todo, Todo) and batches[0].first < expected:
            return replace(todo, records=[record for record in todo.records if record.offset > expected])
        return todo

    patches.replace(match_place, "still_to_do", still_to_do)


@BUGS.bug(15, "the exception of a lane is swallowed, the worker lives on", "stuck", "lost", scenario="defect",
          stalls=True)  # fmt: skip
def lane_error_swallowed(patches: Patches) -> None:
    def _ended(self: lanes.Lanes, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            match_lane.log.error("a lane failed", error=repr(error))

    patches.replace(lanes.Lanes, "_ended", _ended)


@BUGS.bug(22, "the first batch after a change is judged by the rules before it, under the new version", "decision",
          scenario="rules_changed", histories=True)  # fmt: skip
def rules_swapped_in_a_batch(patches: Patches) -> None:
    decide = match_lane.decide
    matchers: dict[Any, Matcher] = {}

    def decide_late(work: Work) -> Decided:
        at, newest = (work.topic.name, work.partition), work.knowledge
        matcher = matchers.get(at, newest.matcher)
        matchers[at] = newest.matcher
        return decide(replace(work, knowledge=Knowledge(newest.rule_set, matcher)))

    patches.replace(match_lane, "decide", decide_late)
