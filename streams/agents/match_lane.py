"""The lane of one partition: decides over its batches, commits, publishes, acknowledges, in order."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Protocol

import structlog

from schemas.errors import Fenced, PartitionHalted, RowRefused, StoreUnavailable, Unavailable
from schemas.topics import topics_by_name
from streams import crash, metrics
from streams.agents.match_place import MatchPlace
from streams.agents.match_waits import LaneWaits, RevokedError
from streams.core.batches import PolledBatch
from streams.core.disposition import decide
from streams.core.matching import Knowledge
from streams.core.ports import BatchStore, Clock, OutboxPublisher, PartitionLog
from streams.core.progress import Progress, Todo
from streams.core.work import Decided, Work, replay_header
from streams.intake import Intake
from streams.pauses import PauseReason, Pauses

log = structlog.get_logger()

SLOW_COMMIT_S = 5.0
"""A commit that takes longer pauses its partition: else its queue would fill what all lanes may hold together."""
FENCED_REST_S = 1.0
"""Whom another owner fenced waits so long to be told that the partition is no longer his, before he writes again."""


class RefusedOffset(Protocol):
    """Which record's row the database refused."""

    def __call__(self, decided: Decided, refused: RowRefused, /) -> int: ...


class Matching:
    """What all lanes of a worker share."""

    def __init__(
        self,
        *,
        store: BatchStore,
        outbox: OutboxPublisher,
        log_position: PartitionLog,
        knowledge: Callable[[], Knowledge],
        pauses: Pauses,
        intake: Intake,
        clock: Clock,
        refused_offset: RefusedOffset,
        transactions: int,
        slow_commit_s: float = SLOW_COMMIT_S,
        fenced_rest_s: float = FENCED_REST_S,
    ) -> None:
        self.store = store
        self.outbox = outbox
        self.log_position = log_position
        self.knowledge = knowledge
        self.pauses = pauses
        self.intake = intake
        self.clock = clock
        self.refused_offset = refused_offset
        self.slow_commit_s = slow_commit_s
        self.fenced_rest_s = fenced_rest_s
        self.turn = asyncio.Semaphore(transactions)

    def lane(self, topic: str, partition: int) -> MatchLane:
        return MatchLane(self, topic, partition)


class MatchLane:
    """One partition: carries its batches through decide, commit, publish, acknowledge."""

    def __init__(self, shared: Matching, topic: str, partition: int) -> None:
        self._shared = shared
        self._id = (topic, partition)
        self._topic = topics_by_name()[topic]
        self._failed_in_a_row = 0
        self._waiting = LaneWaits(self._id, shared.pauses)
        self._place = MatchPlace(
            self._id,
            store=shared.store,
            outbox=shared.outbox,
            log_position=shared.log_position,
            pauses=shared.pauses,
            waits=self._waiting,
        )
        self.held = False
        self.steps = 0
        self._in_line = False
        self._log = log.bind(topic=topic, partition=partition)

    def revoke(self) -> None:
        self._waiting.revoked = True

    @property
    def waits(self) -> bool:
        away = (PauseReason.SINK, PauseReason.HALTED)
        return self.held or self._in_line or any(self._shared.pauses.has(self._id, reason) for reason in away)

    async def open(self) -> None:
        await self._place.open()

    async def handle(self, batches: Sequence[PolledBatch]) -> bool:
        try:
            try:
                await self._handle(batches)
                return True
            except PartitionHalted as halted:
                await self._place.halt(str(halted))
                return False
        except RevokedError:
            self._log.info("revoked with work in hand; it comes again to the new owner")
            return True
        finally:
            if not self._waiting.revoked:  # a successor's waits are not ours to end
                self._shared.pauses.release(self._id, PauseReason.SINK)

    async def _handle(self, batches: Sequence[PolledBatch]) -> None:
        while self._place.progress is not None:
            todo = self._place.still_to_do(batches)
            if todo is None:
                return
            if todo.after > todo.first:
                async with self._turn():
                    part = todo.up_to(self._shared.intake.records_at_once)
                    decided = await self._settle(part)
                if decided is not None:
                    await self._hand_on(decided)
                if decided is None or part is not todo:
                    continue  # fenced: the place was read again; or the rest, if intake is still open
            self._acknowledge(batches)
            if todo.halt is not None:
                raise PartitionHalted(todo.halt)
            return

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of the worker's transactions, as soon as intake is open."""
        turn, intake = self._shared.turn, self._shared.intake
        while True:
            await self._until_open()
            self._in_line = True
            async with turn:
                self._in_line = False
                if intake.open:
                    yield
                    return

    async def _until_open(self) -> None:
        self.held = True
        try:
            while not self._waiting.revoked and not await self._shared.intake.opened():
                pass
        finally:
            self.held = False
        if self._waiting.revoked:
            raise RevokedError

    async def _settle(self, todo: Todo) -> Decided | None:
        """Decides and commits. None when another owner moved the partition meanwhile."""
        refused: dict[int, str] = {}
        attempt = 0
        while True:
            decided = await self._decide(todo, refused)
            try:
                self._take_over(await self._commit(decided), decided)
                break
            except RowRefused as row:
                offset = self._shared.refused_offset(decided, row)
                self._log.warning("the database refuses a row", offset=offset, error=row.detail)
                if offset in refused:
                    raise PartitionHalted(f"the database refuses offset {offset} even as a dead letter") from row
                refused[offset] = row.detail
                crash.here("row_refused")
                self.steps += 1
            except Fenced:
                metrics.BATCHES_FENCED.inc()
                self._shared.pauses.release(self._id, PauseReason.SINK)
                await self._waiting.rest(self._shared.fenced_rest_s)
                await self._place.locate_again()
                return None
            except StoreUnavailable as fault:
                await self._waiting.between_tries(fault, attempt)
                attempt += 1
                after = await self._waiting.until_answered(lambda: self._shared.store.progress(*self._id))
                if after is None or after.next_offset != todo.first:
                    self._log.info("the outcome of the last commit was unknown; the place was read again")
                    if after is None or after.next_offset != todo.after:  # that was another owner's
                        await self._waiting.rest(self._shared.fenced_rest_s)
                    await self._place.locate_again()
                    return None
        self._shared.pauses.release(self._id, PauseReason.SINK)
        return decided

    async def _hand_on(self, decided: Decided) -> None:
        """What follows the commit, when others may have the transaction."""
        crash.here("committed")
        await self._publish(decided)
        self._count(decided)
        if decided.halt is not None:
            self._failed_in_a_row = 0
            metrics.INTERNAL_HALTS.inc()
            raise PartitionHalted(decided.halt)

    async def _commit(self, decided: Decided) -> Progress:
        """Commits, with its alerts counted as waiting from now on, or no longer where it failed."""
        shared, alerts = self._shared, len(decided.alerts)
        shared.intake.expect(alerts)
        started = shared.clock.monotonic()
        try:
            with self._pausing_if_slow():
                progress = await shared.store.commit(decided, self._place.expected)
        except BaseException:
            shared.intake.withdrawn(alerts)
            raise
        shared.intake.committed(alerts)
        metrics.DB_WRITE_LATENCY.observe(shared.clock.monotonic() - started)
        return progress

    @contextmanager
    def _pausing_if_slow(self) -> Iterator[None]:
        """What pauses here is released once something is committed."""
        pause = partial(self._shared.pauses.want, self._id, PauseReason.SINK)
        timer = asyncio.get_running_loop().call_later(self._shared.slow_commit_s, pause)
        try:
            yield
        finally:
            timer.cancel()

    async def _decide(self, todo: Todo, refused: dict[int, str]) -> Decided:
        named = {letter for record in todo.records if record.headers and (letter := replay_header(record))}
        replays = (
            await self._waiting.until_answered(lambda: self._shared.store.replay_states(list(named))) if named else {}
        )
        crash.here("deciding")
        decided = decide(
            Work(
                topic=self._topic,
                partition=self._id[1],
                first=todo.first,
                after=todo.after,
                records=todo.records,
                knowledge=self._shared.knowledge(),
                book=self._place.book,
                now=self._shared.clock.now(),
                replays=replays,
                refused=refused,
                depth=self._shared.intake.depth,
                failed_before=self._failed_in_a_row,
            )
        )
        crash.here("decided")
        return decided

    def _take_over(self, progress: Progress, decided: Decided) -> None:
        self._place.move_to(progress, decided.signatures)
        self._failed_in_a_row = decided.failed_in_a_row

    async def _publish(self, decided: Decided) -> None:
        if not decided.alerts and not decided.letters:
            return
        try:
            await self._shared.outbox.publish(decided)
        except Unavailable as fault:
            await self._waiting.between_tries(fault, 0)
            await self._place.publish_left_over()
            self._shared.pauses.release(self._id, PauseReason.SINK)

    def _acknowledge(self, batches: Sequence[PolledBatch]) -> None:
        place = self._place.progress
        if self._waiting.revoked or place is None:
            return
        for batch in batches:
            if batch.after <= place.next_offset:
                batch.acknowledge()
        crash.here("acknowledged")

    def _count(self, decided: Decided) -> None:
        metrics.count_batch(
            decided.counts,
            [letter.reason for letter in decided.letters],
            missing=decided.missing,
            alerts=len(decided.alerts),
            meta_alerts=sum(alert.rule_id is None for alert in decided.alerts),
        )
        metrics.BATCH_RECORDS.observe(len(decided.work.records))
        if decided.work.records:
            newest = dt.datetime.fromtimestamp(decided.work.records[-1].timestamp / 1000, dt.UTC)
            metrics.PROCESSING_LATENCY.observe(max(0.0, (self._shared.clock.now() - newest).total_seconds()))
