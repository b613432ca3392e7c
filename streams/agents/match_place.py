"""Where a partition stands: read from the database, held against the log, and halted where the two disagree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from schemas.errors import PartitionHalted
from streams import crash
from streams.agents.match_waits import LaneWaits, RevokedError
from streams.core.batches import PolledBatch
from streams.core.ports import BatchStore, OutboxPublisher, PartitionLog
from streams.core.progress import Behind, Progress, Todo, start_position, still_to_do
from streams.core.signatures import SignatureBook, SignatureDraft
from streams.core.work import fingerprint
from streams.pauses import PauseReason, Pauses

log = structlog.get_logger()

HALT_RECHECK_S = 2.0


class MatchPlace:
    """One partition's progress and signatures, as the last commit left them."""

    def __init__(
        self,
        partition: tuple[str, int],
        *,
        store: BatchStore,
        outbox: OutboxPublisher,
        log_position: PartitionLog,
        pauses: Pauses,
        waits: LaneWaits,
    ) -> None:
        self._id = partition
        self._store = store
        self._outbox = outbox
        self._log_position = log_position
        self._pauses = pauses
        self._waits = waits
        self._verify = False
        """The last record done is still to be compared with what the log has there now."""
        self.progress: Progress | None = None
        """None while the partition is halted, or was not found yet."""
        self.book = SignatureBook()
        self._log = log.bind(topic=partition[0], partition=partition[1])

    @property
    def expected(self) -> Progress:
        """What a commit compares with. Raises RevokedError where there is nothing to go on from."""
        if self.progress is None:
            raise RevokedError
        return self.progress

    # -- finding it -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Finds the place, has the consumer read on from there, and publishes what an earlier owner left over."""
        self._pauses.want(self._id, PauseReason.LOCATING)
        try:
            while not self._waits.revoked:
                if (start := await self._locate()) is not None:
                    await self.publish_left_over()
                    crash.here("located")
                    self._log_position.seek(*self._id, start)
                    return
                await asyncio.sleep(HALT_RECHECK_S)
        except RevokedError:
            return
        finally:
            self._pauses.release(self._id, PauseReason.LOCATING)

    async def _locate(self) -> int | None:
        """The offset to read on from, by progress and the log's bounds. None while the partition is halted."""
        progress, (begin, end) = await self._waits.until_answered(self._read)
        if progress.halted is None:
            start = start_position(progress, begin, end)
            if not isinstance(start, str):
                await self._stand(progress, verify=start.verify)
                self._pauses.release(self._id, PauseReason.HALTED)
                return start.offset
            await self.halt(start)
        elif self.progress is not None or not self._pauses.has(self._id, PauseReason.HALTED):
            self._log.error(
                "partition is halted", reason=progress.halted, hint="see: mutt ledger show, mutt ledger reset"
            )
        self.progress = None
        self._pauses.want(self._id, PauseReason.HALTED)
        return None

    async def locate_again(self) -> None:
        """Reads the place without moving the consumer: what was done meanwhile is skipped.

        What is in hand must be what was done: else that was another log, replaced since. Raises PartitionHalted.
        """
        progress = await self._waits.until_answered(lambda: self._store.progress(*self._id))
        if progress is None or progress.halted is not None:
            raise PartitionHalted(progress.halted if progress and progress.halted else "its progress row is gone")
        bounds = await self._waits.until_answered(lambda: self._log_position.bounds(*self._id))
        start = start_position(progress, *bounds)
        if isinstance(start, str):
            raise PartitionHalted(start)
        await self._stand(progress, verify=start.verify)
        await self.publish_left_over()

    async def _stand(self, progress: Progress, *, verify: bool) -> None:
        self.progress, self._verify = progress, verify
        self.book = SignatureBook(await self._waits.until_answered(self._read_book))

    async def _read(self) -> tuple[Progress, tuple[int, int]]:
        """The log's bounds last: of a log read before, another owner may have done more since than it had."""
        progress = await self._store.progress(*self._id)
        if progress is None:
            begin, _ = await self._log_position.bounds(*self._id)
            await self._store.begin(*self._id, begin)
            progress = await self._store.progress(*self._id)
            assert progress is not None
        return progress, await self._log_position.bounds(*self._id)

    async def _read_book(self) -> dict[int, Any]:
        return dict(await self._store.signatures(*self._id, self.book.limit))

    async def publish_left_over(self) -> None:
        """Alerts and letters that are committed and were not published, by whomever."""
        count = await self._waits.until_answered(lambda: self._outbox.publish_pending(*self._id))
        if count:
            self._log.info("published what an earlier owner had committed", records=count)

    # -- going on from it -------------------------------------------------------------------------------------

    def still_to_do(self, batches: Sequence[PolledBatch]) -> Todo | None:
        """What of these batches was not done yet. Raises PartitionHalted.

        None where they were read from beyond the place: the consumer is sent back.
        """
        todo = still_to_do(batches, self.expected.next_offset, verify=self._verify)
        if isinstance(todo, Behind):
            self._log_position.seek(*self._id, todo.offset)
            return None
        if isinstance(todo, str):
            raise PartitionHalted(todo)
        self._verify_previous(todo)
        return todo

    def _verify_previous(self, todo: Todo) -> None:
        """Compares the last record done with what the log has there now: a replaced log reuses offsets."""
        progress = self.expected
        if not self._verify or (todo.previous is None and todo.after == todo.first):
            return  # nothing was read yet from where that record lies, or lay
        if todo.previous is not None and fingerprint(todo.previous) != progress.last_sha256:
            raise PartitionHalted(
                f"the record at offset {progress.next_offset - 1} is not the one processed before: the log was replaced"
            )
        crash.here("hash_compared")
        self._verify = False

    def move_to(self, progress: Progress, signatures: SignatureDraft) -> None:
        """A batch is committed."""
        self.progress = progress
        self.book.apply(signatures)

    async def halt(self, reason: str) -> None:
        """Stops this partition, for all workers, until `mutt ledger reset`; it must still be ours."""
        if self._waits.revoked:
            raise RevokedError
        self._log.error("partition halts", reason=reason, hint="see: mutt ledger show, mutt ledger reset")
        self.progress = None
        self._pauses.want(self._id, PauseReason.HALTED)
        await self._waits.until_answered(lambda: self._store.halt(*self._id, reason))
