"""forward_alerts: posts each committed alert to the receiver, in order per host, and acknowledges what is settled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import UnsetType

from schemas.alerts import Alert
from schemas.config import DynamicConfig
from schemas.trace_context import traceparent
from streams import crash, metrics
from streams.agents.delivery_books import DeliveryBooks
from streams.agents.delivery_dispatch import Dispatch
from streams.agents.delivery_gate import Gate, Sleep
from streams.agents.delivery_hold import Held, HeldCaps, Hold
from streams.agents.delivery_intake import Intake
from streams.core.batches import PolledBatch
from streams.core.breaker import BreakerState
from streams.core.delivery import Kind, Outcome, Timing
from streams.core.ports import AlertSink, Clock, DeliveryStore, OutboxPublisher
from streams.core.receivers.receiver import Receiver
from streams.core.watchdog import work_of


class Forwarder:
    """Delivers what is submitted. Every method but `submit`, `run` and `drain` returns at once.

    `config` gives the configuration in force; `on_death` gets the exception of a task that ends by a defect. An alert
    that is delivered within `on_time_s` of its event is on time.
    """

    def __init__(
        self,
        *,
        sink: AlertSink,
        receiver: Receiver,
        store: DeliveryStore,
        outbox: OutboxPublisher,
        config: Callable[[], DynamicConfig],
        clock: Clock,
        on_time_s: float,
        on_death: Callable[[BaseException], None],
        on_breaker: Callable[[BreakerState], None] = lambda _: None,
        sleep: Sleep = asyncio.sleep,
        draw: Callable[[], float] = random.random,
        caps: HeldCaps | None = None,
    ) -> None:
        self._sink = sink
        self._receiver = receiver
        self._config = config
        self._clock = clock
        self._draw = draw
        self.gate = Gate(config, clock, receiver=receiver.name, on_breaker=on_breaker)
        self._dispatch = Dispatch(self, self.gate, clock=clock, sleep=sleep, on_death=on_death)
        self._books = DeliveryBooks(store, outbox, sleep=sleep, on_stuck=self._stuck, draw=draw)
        self.hold = Hold(caps or HeldCaps())
        self._intake = Intake(
            hold=self.hold, store=store, books=self._books, clock=clock, sleep=sleep, draw=draw, on_time_s=on_time_s
        )
        self._generation = 0
        self._draining = False

    @property
    def halted(self) -> dict[int, str]:
        """Partitions of mutt.alerts that cannot be read further, and why. Nothing more of them is acknowledged."""
        return self._intake.halted

    @property
    def stuck(self) -> str | None:
        """Why PostgreSQL is waited for now: what is settled cannot be written, or what comes cannot be looked up."""
        return self.gate.closed_by or self._intake.unread

    @property
    def work(self) -> dict[str, int]:
        """What is being done, and how often each was: a wait for the receiver, its rate or PostgreSQL is no work."""
        dispatch, books = self._dispatch, self._books
        return work_of(dispatch.dispatching, dispatch.posting, books.writing, books.publishing, self._intake.looking_up)

    async def run(self) -> None:
        """Posts, and writes down what it came to, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._books.run(), name="deliveries-books")
            tasks.create_task(self._dispatch.run(), name="deliveries-dispatch")

    def assign(self, partitions: Iterable[int], *, share: float) -> None:
        """Starts afresh with these partitions; `share` is their part of the fleet's rate, above 0 to 1."""
        self.revoke_all()
        self.halted.clear()
        self.gate.share = share
        self._books.assign(partitions)

    def revoke_all(self) -> None:
        """Nothing more is acknowledged. What waits is dropped; posts on their way are finished and written down."""
        self._generation += 1
        self._books.assign(())
        self.hold.let_go()
        self._drop_waiting()

    async def drain(self, deadline_s: float) -> bool:
        """No new post; finishes those on their way and writes them down. False when the deadline came first."""
        self._draining = True
        self._drop_waiting()
        try:
            async with asyncio.timeout(deadline_s):
                await self._dispatch.idle()
                await self._books.written()
        except TimeoutError:
            return False
        return True

    async def submit(self, batch: PolledBatch) -> None:
        """Takes a polled batch of mutt.alerts; waits at the cap. It is acknowledged when all of it is settled."""
        generation = self._generation
        await self.hold.room()
        if generation != self._generation or self._draining or batch.partition in self.halted:
            return
        hand = self.hold.take(batch)
        crash.here("alerts_read")
        alerts = self._intake.read(hand)
        standings = await self._intake.standings(alerts)
        if generation != self._generation or self._draining:
            return
        for record, alert in alerts:
            if held := self._intake.take(hand, record, alert, standings.get(alert.id)):
                self._dispatch.add(held)
        self.hold.settle(hand)  # the batch itself: one without records is done

    # -- one alert --------------------------------------------------------------------------------------------

    async def post(self, held: Held) -> float | None:
        """Implements Delivery: posts once, and says when again, where it has to."""
        outcome = await self._post(held)
        if outcome.kind is not Kind.RETRY:
            self._settle(held, outcome)
            return None
        self._books.note(held.retried(self._clock.now()))
        if self._draining or not held.hands:
            self.hold.drop(held)
            self._dispatch.done(held)
            return None
        return held.delay(self._config(), self._clock.now(), self._draw())

    def over(self, held: Held) -> bool:
        return held.seconds_left(self._config(), self._clock.now()) <= 0.0

    def give_up(self, held: Held) -> None:
        metrics.MOOG_ALERTS.labels("fail", "expired").inc()
        metrics.count_end(Timing.GIVEN_UP)
        self._books.note(held.expired(self._config(), self._clock.now()), lambda: self.hold.settled(held))

    async def _post(self, held: Held) -> Outcome:
        started = self._clock.monotonic()
        held.first_attempt_at = held.first_attempt_at or self._clock.now()
        body = self._receiver.body(held.alert)
        crash.here("posting")
        held.answered(await self._sink.post(held.alert.id, body, _trace(held.alert)))
        crash.here("answered")
        outcome = self._receiver.judge(held.last)
        self.gate.leave(outcome.kind)
        metrics.MOOG_LATENCY.observe(self._clock.monotonic() - started)
        metrics.MOOG_REQUESTS.labels(_status(outcome.kind), outcome.reason.value).inc()
        return outcome

    def _settle(self, held: Held, outcome: Outcome) -> None:
        """The host of a refused alert waits until its death is committed: a successor might post it once more, behind
        later ones, and the receiver may take it this time (I4). One delivered twice is known by its id."""
        metrics.MOOG_ALERTS.labels(_status(outcome.kind), outcome.reason.value).inc()
        now = self._clock.now()
        if outcome.kind is Kind.DELIVERED:
            settlement = held.delivered(now)
            self._books.note(settlement, lambda: self.hold.settled(held))
            self._dispatch.done(held)
        else:
            settlement = held.refused(now)
            self._books.note(settlement, lambda: self._dead(held))
        metrics.count_end(settlement.timing)

    def _dead(self, held: Held) -> None:
        self.hold.settled(held)
        self._dispatch.done(held)

    def _drop_waiting(self) -> None:
        """Lets go of every alert that is neither on its way nor settled."""
        for held in self._dispatch.drop_waiting():
            self.hold.drop(held)

    def _stuck(self, why: str | None) -> None:
        self.gate.closed_by = why
        self._dispatch.look()


def _trace(alert: Alert) -> str | None:
    """Looked at once more: anybody may have written the record."""
    return None if isinstance(alert.traceparent, UnsetType) else traceparent([alert.traceparent])


def _status(kind: Kind) -> str:
    return "success" if kind is Kind.DELIVERED else "fail"


async def forward_alerts(stream: Any, forwarder: Forwarder, polled: Callable[[Any], PolledBatch]) -> None:
    """The agent: hands every polled batch to the forwarder; waits only at the cap on what is held."""
    async for event in stream.noack().events():
        await forwarder.submit(polled(event))
