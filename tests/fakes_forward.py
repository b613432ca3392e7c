"""Fakes of the forwarder's ports, which run the contract suites of the real ones, and a time that tests move."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import heapq
import itertools
import uuid
from collections import defaultdict, deque
from collections.abc import Container, Mapping, Sequence

from schemas.alerts import AlertState
from schemas.dead_letters import DeadLetter
from schemas.errors import MuttError
from streams.core.delivery import Answer, Fault, Settlement, Standing


class FakeTime:
    """The Clock port and a sleep that only `advance` ends."""

    def __init__(self) -> None:
        self.start = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
        self.seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> dt.datetime:
        return self.start + dt.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._numbers), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Lets time pass: every sleep that ends within it ends at its moment, and what follows runs."""
        until = self.seconds + seconds
        await settle_loop()
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self.seconds = max(self.seconds, at)
                woken.set_result(None)
                await settle_loop()
        self.seconds = until


async def settle_loop() -> None:
    """Runs what can run without time passing."""
    for _ in range(50):
        await asyncio.sleep(0)


async def first_of(*events: asyncio.Event) -> None:
    """Waits until one of them is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


class FakeSink:
    """The AlertSink port in memory. `answers` by alert id are given in turn, then `default`."""

    def __init__(self) -> None:
        self.default = Answer(status=200)
        self.answers: defaultdict[uuid.UUID, deque[Answer]] = defaultdict(deque)
        self.posts: list[tuple[uuid.UUID, bytes]] = []
        self.traces: list[str | None] = []
        self.at_once = 0
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._let_out: defaultdict[uuid.UUID, asyncio.Event] = defaultdict(asyncio.Event)

    def let_out(self, alert_id: uuid.UUID) -> None:
        """Answers this alert's posts though the gate is closed."""
        self._let_out[alert_id].set()

    async def post(self, alert_id: uuid.UUID, body: bytes, trace: str | None = None) -> Answer:
        self.posts.append((alert_id, body))
        self.traces.append(trace)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await first_of(self.gate, self._let_out[alert_id])
        finally:
            self.at_once -= 1
        waiting = self.answers[alert_id]
        return waiting.popleft() if waiting else self.default

    @property
    def posted(self) -> list[uuid.UUID]:
        return [alert_id for alert_id, _ in self.posts]


def status(number: int, **more: str) -> Answer:
    return Answer(status=number, retry_after=more.get("retry_after"), text=more.get("text", ""))


NO_ANSWER = Answer(fault=Fault.CONNECTION, text="refused")


def settles(each: Settlement, state: AlertState, attempts: int, letters: Container[uuid.UUID]) -> bool:
    """Whether it changes the row of an alert that stands so: what a DeliveryStore promises."""
    news = each.state is not AlertState.PENDING or each.attempts > attempts
    died = each.letter is not None and each.letter.id in letters
    return state is AlertState.PENDING and news and not died


class FakeDeliveries:
    """The DeliveryStore port in memory. `faults` are raised before anything is written, `lost_answers` after."""

    def __init__(self) -> None:
        self.rows: dict[uuid.UUID, Standing] = {}
        self.letters: dict[uuid.UUID, DeadLetter] = {}
        self.good: defaultdict[int, int] = defaultdict(int)
        self.total: defaultdict[int, int] = defaultdict(int)
        self.on_time = 0
        self.ended = 0
        self.record_time = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
        """Of every alert."""
        self.faults: list[MuttError] = []
        self.load_faults: list[MuttError] = []
        self.lost_answers: list[MuttError] = []
        self.open = asyncio.Event()
        """While it is cleared nothing is settled."""
        self.open.set()

    def commit(self, alert_id: uuid.UUID, payload: bytes) -> None:
        """What the match worker did."""
        self.rows[alert_id] = Standing(AlertState.PENDING, 0, hashlib.sha256(payload).digest(), self.record_time)

    async def load(self, alerts: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Standing]:
        if self.load_faults:
            raise self.load_faults.pop(0)
        return {alert: self.rows[alert] for alert in alerts if alert in self.rows}

    async def settle(self, settlements: Sequence[Settlement], foreign: Sequence[DeadLetter]) -> None:
        await self.open.wait()
        if self.faults:
            raise self.faults.pop(0)
        for each in settlements:
            row = self.rows.get(each.alert_id)
            if row is None or not settles(each, row.state, row.attempts, self.letters):
                continue
            self.rows[each.alert_id] = Standing(each.state, each.attempts, row.payload_sha256, row.record_time)
            self.good[each.partition] += each.good
            self.total[each.partition] += each.posts
            if each.state is not AlertState.PENDING:
                self.on_time += each.on_time
                self.ended += 1
            if each.letter is not None:
                self.letters.setdefault(each.letter.id, each.letter)
        for letter in foreign:
            self.letters.setdefault(letter.id, letter)
        if self.lost_answers:
            raise self.lost_answers.pop(0)
