"""Reads polled batches of mutt.alerts: which records are committed alerts, which are none, which cannot be read."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping

import structlog

from schemas import codec
from schemas.alerts import Alert, AlertState
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected, StoreUnavailable
from streams.agents.delivery_books import DeliveryBooks
from streams.agents.delivery_gate import Sleep
from streams.agents.delivery_hold import Hand, Held, Hold
from streams.core.batches import CorruptBatch, OversizedBatch, Record
from streams.core.delivery import Standing
from streams.core.ports import Clock, DeliveryStore
from streams.core.undelivered import undelivered_letter
from streams.core.watchdog import Chore
from streams.retries import wait_after

log = structlog.get_logger()

Reading = list[tuple[Record, Alert]]


class Intake:
    """Turns the records of a batch into alerts in hand. What is no alert of ours becomes a foreign letter."""

    def __init__(
        self,
        *,
        hold: Hold,
        store: DeliveryStore,
        books: DeliveryBooks,
        clock: Clock,
        sleep: Sleep,
        draw: Callable[[], float],
        on_time_s: float,
    ) -> None:
        self._on_time_s = on_time_s
        self._hold = hold
        self._store = store
        self._books = books
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self.halted: dict[int, str] = {}
        """Partitions that cannot be read further, and why."""
        self.unread: str | None = None
        """Why PostgreSQL is waited for now."""
        self.looking_up = Chore("looking up alerts")

    def read(self, hand: Hand) -> Reading:
        """The batch's alerts. A batch that cannot be read ends the partition."""
        alerts: Reading = []
        for record in hand.batch.records:
            if isinstance(record, CorruptBatch):
                self._halt(hand, record)
                return alerts  # what follows is never settled, so the batch is never acknowledged
            if isinstance(record, OversizedBatch):
                self._foreign(hand, record, "a batch that unpacks beyond the limit")
                continue
            try:
                alerts.append((record, codec.decode_alert(record.value)))
            except RecordRejected as rejected:
                self._foreign(hand, record, rejected.detail)
        return alerts

    async def standings(self, alerts: Reading) -> Mapping[uuid.UUID, Standing | None]:
        """What the table says of those that are not in hand; waits for it as long as it must.

        One in hand when this begins may be settled before the table answers: then it is looked up too.
        """
        names = dict.fromkeys(alert.id for _, alert in alerts)
        standings: dict[uuid.UUID, Standing | None] = {}
        attempt = 0
        while wanted := [name for name in self._hold.unknown(names) if name not in standings]:
            try:
                with self.looking_up:
                    found = await self._store.load(wanted)
                self.unread = None
                standings |= {name: found.get(name) for name in wanted}
            except StoreUnavailable as fault:
                self.unread = str(fault)
                await self._sleep(wait_after(fault, attempt, self._draw()))
                attempt += 1
        return standings

    def take(self, hand: Hand, record: Record, alert: Alert, standing: Standing | None) -> Held | None:
        """The alert where it is to be delivered from now on, None where there is nothing to do for it."""
        held = self._hold.get(alert.id)
        if held is not None and held.record.value == record.value:
            held.hands.append(hand)  # a second copy: posted once, settled together
        elif held is not None or standing is None:
            self._foreign(hand, record, f"no committed alert explains it: {alert.id}")
        elif hashlib.sha256(record.value or b"").digest() != standing.payload_sha256:
            self._foreign(hand, record, f"not what was committed for alert {alert.id}")
        elif standing.state is not AlertState.PENDING:
            self._hold.settle(hand)
        else:
            return self._held(hand, record, alert, standing)
        return None

    def _held(self, hand: Hand, record: Record, alert: Alert, standing: Standing) -> Held:
        held = Held(
            alert=alert,
            record=record,
            partition=hand.batch.partition,
            attempts=standing.attempts,
            record_time=standing.record_time,
            on_time_s=self._on_time_s,
            hands=[hand],
        )
        self._hold.add(held)
        return held

    def _foreign(self, hand: Hand, record: Record, detail: str) -> None:
        """Keeps a record that no row explains, and never delivers it."""
        letter = undelivered_letter(record, hand.batch.partition, Reason.FOREIGN, detail, now=self._clock.now())
        self._books.note_foreign(letter, lambda: self._hold.settle(hand))

    def _halt(self, hand: Hand, record: CorruptBatch) -> None:
        self.halted[hand.batch.partition] = f"offset {record.offset}: {record.problem}"
        log.error("partition halts", topic=hand.batch.topic, partition=hand.batch.partition, reason=record.problem)
