"""forward_alerts: posts each committed alert to the receiver, in order per host, and acknowledges what is settled."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import random
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from msgspec import Struct

from schemas import codec
from schemas.alerts import Alert, AlertState
from schemas.config import DynamicConfig
from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import RecordRejected, StoreUnavailable
from streams import metrics
from streams.agents.delivery_books import RETRY, DeliveryBooks
from streams.agents.delivery_gate import Gate, Sleep
from streams.core.backoff import BackoffPolicy, backoff
from streams.core.batches import CorruptBatch, OversizedBatch, PolledBatch, Record
from streams.core.delivery import Answer, Kind, Outcome, Settlement, Standing, classify, retry_after
from streams.core.disposition import replay_header
from streams.core.letters import clean_detail
from streams.core.moogsoft import body
from streams.core.ports import AlertSink, Clock, DeliveryStore, OutboxPublisher
from streams.core.undelivered import undelivered_letter

log = structlog.get_logger()

ERROR_LIMIT = 500
"""Characters of the last error kept in the alert's row."""


class HeldCaps(Struct, frozen=True):
    """What is held at most before the next batch waits (I6); the batch that crosses it is still taken."""

    records: int = 10_000
    bytes: int = 64 * 1024 * 1024


@dataclass(eq=False)
class _Hand:
    """A polled batch, and how many of its records are not settled yet."""

    batch: PolledBatch
    size: int
    left: int


@dataclass(eq=False)
class _Held:
    """One alert in hand. Without hands its partition is revoked: a post on its way is still written down."""

    alert: Alert
    record: Record
    partition: int
    attempts: int
    hands: list[_Hand] = field(default_factory=list)
    posting: bool = False
    tries: int = 0
    """Posts since it is in hand: what the backoff grows with."""
    first_attempt_at: dt.datetime | None = None
    last: Answer = field(default_factory=Answer)


@dataclass(eq=False)
class _Host:
    """One host's alerts in offset order, and the task that delivers them."""

    queue: deque[_Held] = field(default_factory=deque)
    current: _Held | None = None
    task: asyncio.Task[None] | None = None


class Forwarder:
    """Delivers what is submitted. Every method but `submit`, `run` and `drain` returns at once.

    `config` gives the configuration in force; `on_death` gets the exception of a task that ends by a defect.
    """

    def __init__(
        self,
        *,
        sink: AlertSink,
        store: DeliveryStore,
        outbox: OutboxPublisher,
        config: Callable[[], DynamicConfig],
        clock: Clock,
        on_death: Callable[[BaseException], None],
        sleep: Sleep = asyncio.sleep,
        draw: Callable[[], float] = random.random,
        caps: HeldCaps | None = None,
    ) -> None:
        self._sink = sink
        self._store = store
        self._config = config
        self._clock = clock
        self._on_death = on_death
        self._sleep = sleep
        self._draw = draw
        self._caps = caps or HeldCaps()
        self.gate = Gate(config, clock, sleep)
        self._books = DeliveryBooks(store, outbox, sleep=sleep, on_stuck=self._stuck, draw=draw)
        self._hosts: dict[str, _Host] = {}
        self._held: dict[uuid.UUID, _Held] = {}
        self._hands: set[_Hand] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._generation = 0
        self._draining = False
        self._unread: str | None = None
        self.halted: dict[int, str] = {}
        """Partitions of mutt.alerts that cannot be read further, and why. Nothing more of them is acknowledged."""
        self.held_records = 0
        self.held_bytes = 0

    @property
    def stuck(self) -> str | None:
        """Why PostgreSQL is waited for now: what is settled cannot be written, or what comes cannot be looked up."""
        return self.gate.closed_by or self._unread

    async def run(self) -> None:
        """Writes deliveries down until cancelled."""
        await self._books.run()

    def assign(self, partitions: Iterable[int], *, share: float) -> None:
        """Starts afresh with these partitions; `share` is their part of the fleet's rate, above 0 to 1."""
        self.revoke_all()
        self.halted.clear()
        self.gate.share = share
        for partition in partitions:
            self._books.publish(partition)

    def revoke_all(self) -> None:
        """Nothing more is acknowledged. What waits is dropped; posts on their way are finished and written down."""
        self._generation += 1
        for held in self._held.values():
            held.hands.clear()
        self._drop_waiting()
        self._hands.clear()
        self.held_records = self.held_bytes = 0
        self._room.set()

    async def drain(self, deadline_s: float) -> bool:
        """No new post; finishes those on their way and writes them down. False when the deadline came first."""
        self._draining = True
        self._drop_waiting()
        try:
            async with asyncio.timeout(deadline_s):
                while tasks := [host.task for host in self._hosts.values() if host.task is not None]:
                    await asyncio.wait(tasks)
                    await asyncio.sleep(0)  # the tasks' callbacks
                await self._books.written()
        except TimeoutError:
            return False
        return True

    async def submit(self, batch: PolledBatch) -> None:
        """Takes a polled batch of mutt.alerts; waits at the cap. It is acknowledged when all of it is settled."""
        await self._room.wait()
        if self._draining or batch.partition in self.halted:
            return
        generation = self._generation
        hand = _Hand(batch, batch.size, len(batch.records) + 1)
        self._hands.add(hand)
        self._hold(len(batch.records), hand.size)
        alerts = self._read(hand)
        known = await self._load([alert.id for _, alert in alerts if alert.id not in self._held])
        if generation != self._generation or self._draining:
            return
        for record, alert in alerts:
            self._take(hand, record, alert, known.get(alert.id))
        self._one_settled(hand)  # the batch itself: one without records is done

    # -- taking a batch ---------------------------------------------------------------------------------------

    def _read(self, hand: _Hand) -> list[tuple[Record, Alert]]:
        """The batch's alerts; what is none becomes a foreign letter. A batch that cannot be read ends the partition."""
        alerts: list[tuple[Record, Alert]] = []
        for record in hand.batch.records:
            if isinstance(record, CorruptBatch):
                self.halted[hand.batch.partition] = f"offset {record.offset}: {record.problem}"
                log.error(
                    "partition halts", topic=hand.batch.topic, partition=hand.batch.partition, reason=record.problem
                )
                return alerts  # what follows is never settled, so the batch is never acknowledged
            if isinstance(record, OversizedBatch):
                self._foreign(hand, record, "a batch that unpacks beyond the limit")
                continue
            try:
                alerts.append((record, codec.decode_alert(record.value)))
            except RecordRejected as rejected:
                self._foreign(hand, record, rejected.detail)
        return alerts

    async def _load(self, alerts: list[uuid.UUID]) -> dict[uuid.UUID, Standing]:
        attempt = 0
        while alerts:
            try:
                standings = dict(await self._store.load(alerts))
                self._unread = None
                return standings
            except StoreUnavailable as fault:
                self._unread = str(fault)
                metrics.count_retry("postgresql")
                log.warning("waiting", service="postgresql", error=str(fault), attempt=attempt + 1)
                await self._sleep(backoff(RETRY, attempt, self._draw()))
                attempt += 1
        return {}

    def _take(self, hand: _Hand, record: Record, alert: Alert, standing: Standing | None) -> None:
        held = self._held.get(alert.id)
        if held is not None and held.record.value == record.value:
            held.hands.append(hand)  # a second copy: posted once, settled together
        elif held is not None or standing is None:
            self._foreign(hand, record, f"no committed alert explains it: {alert.id}")
        elif hashlib.sha256(record.value or b"").digest() != standing.payload_sha256:
            self._foreign(hand, record, f"not what was committed for alert {alert.id}")
        elif standing.state is not AlertState.PENDING:
            self._one_settled(hand)
        else:
            self._enqueue(_Held(alert, record, hand.batch.partition, standing.attempts, [hand]))

    def _foreign(self, hand: _Hand, record: Record, detail: str) -> None:
        """Keeps a record that no row explains, and never delivers it."""
        letter = undelivered_letter(record, hand.batch.partition, Reason.FOREIGN, detail, now=self._clock.now())
        self._books.note_foreign(letter, lambda: self._one_settled(hand))

    def _enqueue(self, held: _Held) -> None:
        self._held[held.alert.id] = held
        host = self._hosts.setdefault(held.alert.hostname, _Host())
        host.queue.append(held)
        if host.task is None:
            host.task = asyncio.create_task(self._serve(held.alert.hostname, host), name="deliver to one host")
            host.task.add_done_callback(self._ended)

    # -- delivering -------------------------------------------------------------------------------------------

    async def _serve(self, name: str, host: _Host) -> None:
        try:
            while host.queue:
                host.current = host.queue.popleft()
                await self._deliver(host.current)
        finally:
            if self._hosts.get(name) is host:
                del self._hosts[name]

    async def _deliver(self, held: _Held) -> None:
        """Tries until the alert is settled, or given up because the partition is revoked or the worker stops."""
        while await self.gate.enter(lambda: self._expired(held)):
            outcome = await self._post(held)
            if outcome.kind is not Kind.RETRY:
                self._settle(held, outcome)
                return
            self._books.note(self._settlement(held, AlertState.PENDING, posts=1))
            if self._draining or not held.hands:
                self._held.pop(held.alert.id, None)
                return
            await self._sleep(self._delay(held))
        self._give_up(held)

    async def _post(self, held: _Held) -> Outcome:
        held.posting = True
        started = self._clock.monotonic()
        held.first_attempt_at = held.first_attempt_at or self._clock.now()
        held.last = await self._sink.post(held.alert.id, body(held.alert))
        held.posting = False
        held.attempts += 1
        held.tries += 1
        outcome = classify(held.last.status, held.last.fault)
        self.gate.leave(outcome.kind)
        metrics.MOOG_LATENCY.observe(self._clock.monotonic() - started)
        metrics.MOOG_REQUESTS.labels(_status(outcome.kind), outcome.reason.value).inc()
        return outcome

    def _delay(self, held: _Held) -> float:
        """Seconds until the next try: what the receiver asks for, else backoff; no longer than the alert lives."""
        config = self._config()
        asked = retry_after(held.last.retry_after, self._clock.now())
        if asked is None:
            policy = BackoffPolicy(config.moog_retry_base_delay, config.moog_retry_max_delay)
            asked = backoff(policy, held.tries - 1, self._draw())
        return min(asked, max(0.0, self._seconds_left(held)))

    def _expired(self, held: _Held) -> bool:
        return self._seconds_left(held) <= 0.0

    def _seconds_left(self, held: _Held) -> float:
        """How long the alert is still tried: for ever, unless an operator says otherwise."""
        limit = self._config().moog_retry_max_age
        return limit - (self._clock.now().timestamp() - held.record.timestamp / 1000) if limit else float("inf")

    # -- settling ---------------------------------------------------------------------------------------------

    def _settle(self, held: _Held, outcome: Outcome) -> None:
        metrics.MOOG_ALERTS.labels(_status(outcome.kind), outcome.reason.value).inc()
        if outcome.kind is Kind.DELIVERED:
            settlement = self._settlement(held, AlertState.DELIVERED, posts=1)
        else:
            letter = self._letter(held, Reason.DELIVERY, _told(held.last))
            settlement = self._settlement(held, AlertState.DEAD, posts=1, letter=letter)
        self._books.note(settlement, lambda: self._written(held))

    def _give_up(self, held: _Held) -> None:
        metrics.MOOG_ALERTS.labels("fail", "expired").inc()
        age = f"older than moog_retry_max_age={self._config().moog_retry_max_age} s"
        letter = self._letter(held, Reason.DELIVERY_EXPIRED, f"{age}; last answer: {_told(held.last) or 'none'}")
        self._books.note(self._settlement(held, AlertState.DEAD, posts=0, letter=letter), lambda: self._written(held))

    def _settlement(
        self, held: _Held, state: AlertState, *, posts: int, letter: DeadLetter | None = None
    ) -> Settlement:
        return Settlement(
            alert_id=held.alert.id,
            state=state,
            attempts=held.attempts,
            posts=posts,
            good=int(state is AlertState.DELIVERED),
            partition=held.partition,
            status=held.last.status,
            error=None if state is AlertState.DELIVERED else _told(held.last)[:ERROR_LIMIT] or None,
            at=self._clock.now(),
            first_attempt_at=held.first_attempt_at,
            letter=letter,
            replay_of=replay_header(held.record) if letter is not None and held.record.headers else None,
        )

    def _letter(self, held: _Held, reason: Reason, detail: str) -> DeadLetter:
        return undelivered_letter(
            held.record,
            held.partition,
            reason,
            detail,
            now=self._clock.now(),
            alert=held.alert,
            attempts=held.attempts,
            first_failed_at=held.first_attempt_at,
        )

    def _written(self, held: _Held) -> None:
        self._held.pop(held.alert.id, None)
        for hand in held.hands:
            self._one_settled(hand)

    def _one_settled(self, hand: _Hand) -> None:
        hand.left -= 1
        if hand.left == 0 and hand in self._hands:
            self._hands.discard(hand)
            self._hold(-len(hand.batch.records), -hand.size)
            hand.batch.acknowledge()

    # -- what is held -----------------------------------------------------------------------------------------

    def _hold(self, records: int, size: int) -> None:
        self.held_records += records
        self.held_bytes += size
        if self.held_records < self._caps.records and self.held_bytes < self._caps.bytes:
            self._room.set()
        else:
            self._room.clear()

    def _drop_waiting(self) -> None:
        """Lets go of every alert that is neither on its way nor settled."""
        for name, host in list(self._hosts.items()):
            dropped = list(host.queue)
            host.queue.clear()
            if host.task is not None and host.current is not None and not host.current.posting:
                dropped.append(host.current)
                host.task.cancel()
                del self._hosts[name]
            elif host.current is None and host.task is not None:
                host.task.cancel()
                del self._hosts[name]
            for held in dropped:
                self._held.pop(held.alert.id, None)

    def _stuck(self, why: str | None) -> None:
        self.gate.closed_by = why

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_death(error)


def _status(kind: Kind) -> str:
    return "success" if kind is Kind.DELIVERED else "fail"


def _told(answer: Answer) -> str:
    """A status or fault with the beginning of what came, for people."""
    what = f"HTTP {answer.status}" if answer.status is not None else str(answer.fault or "")
    return clean_detail(f"{what}: {answer.text}" if answer.text else what)


async def forward_alerts(stream: Any, forwarder: Forwarder, polled: Callable[[Any], PolledBatch]) -> None:
    """The agent: hands every polled batch to the forwarder; waits only at the cap on what is held."""
    async for event in stream.noack().events():
        await forwarder.submit(polled(event))
