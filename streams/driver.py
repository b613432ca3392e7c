"""The batch driver: Faust's aiokafka transport, handing agents one message per partition and poll.

What Faust does per event, this does per polled batch: one message, one acknowledgement, of a range of offsets. The
watermark is strict (never beyond the first offset that is not acknowledged), and positions can be set from outside.
It overrides internals of faust-streaming 0.15.3 and aiokafka 0.14.0, which are pinned exactly. docs/adr/0002 says why;
tests/integration/test_match.py and test_kills.py are the gate for every upgrade.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from faust.transport.drivers import aiokafka as drivers
from faust.types.tuples import TP, ConsumerMessage, ack_lock
from mode.utils.futures import notify

from streams import crash
from streams.consumer_thread import BatchConsumerThread, Records
from streams.core.batches import OversizedBatch, PolledBatch
from streams.core.watchdog import Chore, Reach
from streams.core.watermark import Watermark

POLL_SECONDS = 0.2
"""How long one poll waits for records; also the longest a requested seek waits for its turn."""

UNKNOWN_SIZE = 0


class BatchMessage(ConsumerMessage):  # type: ignore[misc]
    """One poll's records of one partition. `offset` is the last one; acknowledging acks `[first, offset]` once."""

    __slots__ = ("first", "records", "rewound")

    acked: bool
    first: int
    records: Records
    rewound: bool

    def on_final_ack(self, consumer: BatchConsumer) -> bool:
        with ack_lock:
            if self.acked:
                return False
            self.acked = True  # type: ignore[misc]
            consumer.acknowledge(self)
            return True


def polled(event: Any) -> PolledBatch:
    """The batch in a stream's event, with its acknowledgement bound."""
    message: BatchMessage = event.message
    return PolledBatch(
        topic=message.topic,
        partition=message.partition,
        first=message.first,
        after=message.offset + 1,
        records=message.records,
        rewound=message.rewound,
        acknowledge=event.ack,
        size=message.records.size,
    )


class BatchConsumer(drivers.Consumer):  # type: ignore[misc]
    """Faust's consumer with ranges instead of single offsets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._next_read: dict[TP, int] = {}
        self._marks: dict[TP, Watermark] = {}
        self._wanted_seeks: dict[TP, int] = {}
        self._begins: dict[TP, int] = {}
        """Where the partitions of a new assignment begin, until their positions are set once more."""
        self._assigned_once = False
        self._handing_on = Chore("handing on")
        self.polls = 0
        self.commits = 0
        """Those that Kafka took."""

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def request_seek(self, tp: TP, offset: int) -> None:
        """Asks for the position; it is set between two polls, so that no batch straddles it."""
        self._wanted_seeks[tp] = offset

    async def log_bounds(self, tp: TP) -> tuple[int, int]:
        """First offset of the partition's log and the one after its last. Raises aiokafka's errors."""
        return await self._thread.log_bounds(tp)  # type: ignore[no-any-return]

    async def pause_exactly(self, wanted: frozenset[tuple[str, int]]) -> None:
        """Pauses these partitions and no other, in aiokafka, on its thread: nothing fetched is lost."""
        await self._thread.pause_exactly(wanted)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._forget_positions()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._forget_positions()
        await super().on_partitions_assigned(assigned, generation_id)
        self._assigned_once = True

    def _forget_positions(self) -> None:
        """Rebalances are eager: every partition is revoked, and positions start again from what is committed."""
        self._next_read.clear()
        self._marks.clear()
        self._wanted_seeks.clear()
        self._begins.clear()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Faust's last step before records flow. It goes from partition to partition, and a poll that began earlier may
        take records of those that are done, which nobody gets: so all are sought again before the next poll."""
        committed: Mapping[TP, int] = await super().seek_to_committed()
        self._begins = {TP(*tp): offset or 0 for tp, offset in committed.items()}
        return committed

    # -- signs of life ----------------------------------------------------------------------------------------

    @property
    def rebalancing(self) -> bool:
        """It waits for its partitions."""
        return bool(self.app.rebalancing) or not self._assigned_once

    @property
    def flowing(self) -> bool:
        """A poll is due: records may flow, and what the last one found was handed on."""
        return self.flow_active and not self.rebalancing and not self._handing_on.in_hand

    @property
    def uncommitted(self) -> bool:
        return any(mark.to_commit() is not None for mark in self._marks.values())

    @property
    def thread_loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self._thread.thread_loop
        return loop

    def reach(self) -> Reach:
        """To be called in `thread_loop` only."""
        return self._thread.reach()  # type: ignore[no-any-return]

    # -- reading ----------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):
            await self._perform_wanted_seeks()
            try:
                records, _ = await self._wait_next_records(POLL_SECONDS)
            except (*self.consumer_stopped_errors, asyncio.CancelledError):
                if self.transport.app.should_stop:
                    return
                raise
            self.polls += 1
            with self._handing_on:
                await self._hand_on(records or {}, self.app.consumer_generation_id)
            await asyncio.sleep(0)

    async def _perform_wanted_seeks(self) -> None:
        """Only while records flow: after a rebalance Faust seeks once more by itself before it lets them."""
        if self.flow_active and (self._begins or self._wanted_seeks):
            begins, wanted = self._begins, self._wanted_seeks
            self._begins, self._wanted_seeks = {}, {}
            await self._thread.seek_now(begins | wanted)
            self._next_read.update(begins | wanted)
            self._marks |= {tp: Watermark(offset, committed=offset) for tp, offset in begins.items()}
            self._marks |= {tp: Watermark(offset) for tp, offset in wanted.items()}

    async def _hand_on(self, polled_records: Mapping[Any, Records], generation: int) -> None:
        """One message per partition. Stops when a rebalance begins: positions are set afresh after it."""
        for partition, records in polled_records.items():
            if self._begins or not self.flow_active or generation != self.app.consumer_generation_id:
                return
            tp = TP(partition.topic, partition.partition)
            message = self._message(tp, records, generation)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            await self.wait_first(self.callback(message), self.suspend_flow.wait())
            if self.flow_active and generation == self.app.consumer_generation_id:
                self._next_read[tp] = message.offset + 1

    def _message(self, tp: TP, records: Records, generation: int) -> BatchMessage:
        last = records[-1]
        start = records[0].first if type(records[0]) is OversizedBatch else records[0].offset
        expected = self._next_read.get(tp)
        first = start if expected is None else min(expected, start)
        message = BatchMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, 1, None, None, b"", None,
            UNKNOWN_SIZE, UNKNOWN_SIZE, tp, generation_id=generation,
        )  # fmt: skip
        message.records = records
        message.first = first
        message.rewound = expected is not None and start < expected
        if tp not in self._marks or message.rewound:  # nobody set this position: it is no progress of ours
            self._marks[tp] = Watermark(first, committed=first)
        return message

    # -- acknowledging and committing -------------------------------------------------------------------------

    def acknowledge(self, message: BatchMessage) -> None:
        """Called by the message under Faust's lock; an acknowledgement from before a rebalance means nothing now."""
        self._unacked_messages.discard(message)
        mark = self._marks.get(message.tp)
        if mark is not None and message.generation_id == self.app.consumer_generation_id:
            mark.ack(message.first, message.offset + 1)
        notify(self._waiting_for_ack)

    def _filter_tps_with_pending_acks(self, topics: Iterable[Any] | None = None) -> Iterator[TP]:
        return (
            tp
            for tp, mark in self._marks.items()
            if mark.to_commit() is not None and (topics is None or tp in topics or tp.topic in topics)
        )

    def _new_offset(self, tp: TP) -> int | None:
        mark = self._marks.get(tp)
        return None if mark is None else mark.to_commit()

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return True

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        committed: bool = await super()._commit_offsets(offsets, start_new_transaction=start_new_transaction)
        if committed:
            self.commits += 1
            crash.here("kafka_committed")
            for tp, offset in offsets.items():
                if mark := self._marks.get(tp):
                    mark.committed = offset
        return committed


class BatchTransport(drivers.Transport):  # type: ignore[misc]
    """Install with `app.transport = BatchTransport([url], app, loop=loop)`, in the loop that will run."""

    Consumer = BatchConsumer
