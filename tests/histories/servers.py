"""The servers of a history as a worker reaches them: slow, away, or with an answer that never comes.

Each call is a request: the server does what it is asked, or not, whatever becomes of the worker meanwhile. Every fault
is armed by a step of the history, and counted where it takes effect.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

from schemas.dead_letters import DeadLetter, LetterState
from schemas.errors import BrokerUnavailable, MuttError, StoreUnavailable
from schemas.rows import ALERTS
from schemas.topics import ALERTS as ALERTS_TOPIC
from schemas.topics import DLQ
from streams.core.delivery import Answer, Fault, Settlement, Standing
from streams.core.letters import to_record
from streams.core.progress import Progress
from streams.core.signatures import Seen
from streams.core.work import Decided
from tests.histories.broker import Broker, Place
from tests.histories.loop import VirtualLoop
from tests.histories.tables import ALERT_PAYLOAD, Tables

T = TypeVar("T")

FAIL, LOST, LATE, SLOW = "fail", "lost", "late", "slow"
"""Nothing is done; done, and the answer is lost; done after the caller was told that it failed; done after a while."""

LATE_S, SLOW_S = 0.8, 1.0


class Servers:
    """All of them, with what is armed. `effects` counts faults where they took effect."""

    def __init__(self, loop: VirtualLoop, tables: Tables, broker: Broker, random: Random) -> None:
        self.loop, self.tables, self.broker, self.random = loop, tables, broker, random
        self.armed: defaultdict[str, deque[str]] = defaultdict(deque)
        self.effects: Counter[str] = Counter()
        self.in_flight = 0
        self.receiver = Receiver(self)

    def delay(self) -> float:
        """Mostly none: what happens at once finds more orders of events than what takes its time."""
        return 0.0 if self.random.random() < 0.6 else self.random.random() * 0.08

    def fault(self, name: str) -> str | None:
        armed = self.armed.get(name)
        if not armed:
            return None
        kind = armed.popleft()
        self.effects[f"{name}:{kind}"] += 1
        return kind

    def calm(self) -> None:
        """No more faults."""
        self.armed.clear()

    async def ask(self, name: str, effect: Callable[[], T], error: type[MuttError] = StoreUnavailable) -> T:
        """One request to a server: its answer, or the error in its place."""
        kind = self.fault(name)
        if kind is FAIL or kind == FAIL:
            await self._after(self.delay(), _nothing)
            raise error(f"{name}: refused")
        if kind == LATE:
            self._start(self.delay() + LATE_S * self.random.random(), effect)
            await self._after(self.delay(), _nothing)
            raise error(f"{name}: no answer in time")
        answer = await self._after(SLOW_S if kind == SLOW else self.delay(), effect)
        if kind == LOST:
            raise error(f"{name}: the answer was lost")
        return answer

    def _after(self, seconds: float, effect: Callable[[], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.loop.create_future()
        self._start(seconds, effect, future)
        return future

    def _start(self, seconds: float, effect: Callable[[], Any], future: asyncio.Future[Any] | None = None) -> None:
        self.in_flight += 1
        self.loop.outside(seconds, self._do, effect, future)

    def _do(self, effect: Callable[[], Any], future: asyncio.Future[Any] | None) -> None:
        self.in_flight -= 1
        try:
            answer = effect()
        except MuttError as error:
            if future is not None and not future.done():
                future.set_exception(error)
        else:
            if future is not None and not future.done():
                future.set_result(answer)


def _nothing() -> None: ...


class SimStore:
    """The BatchStore, DeliveryStore and BacklogReader ports. `writer` tells who writes, at the moment of a call."""

    def __init__(self, servers: Servers, writer: Callable[[], object]) -> None:
        self._servers, self._tables, self._writer = servers, servers.tables, writer

    async def progress(self, topic: str, partition: int) -> Progress | None:
        return await self._servers.ask("progress", lambda: self._tables.progress((topic, partition)))

    async def begin(self, topic: str, partition: int, offset: int) -> None:
        await self._servers.ask("begin", lambda: self._tables.begin((topic, partition), offset))

    async def halt(self, topic: str, partition: int, reason: str) -> None:
        await self._servers.ask("halt", lambda: self._tables.halt((topic, partition), reason))

    async def signatures(self, topic: str, partition: int, limit: int) -> Mapping[int, Seen]:
        return await self._servers.ask("signatures", lambda: dict(self._tables.signatures[topic, partition]))

    async def replay_states(self, letters: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, LetterState]:
        known = self._tables.letters
        return await self._servers.ask(
            "progress", lambda: {each: known[each].state for each in letters if each in known}
        )

    async def commit(self, decided: Decided, progress: Progress) -> Progress:
        writer = self._writer()
        return await self._servers.ask("commit", lambda: self._tables.commit(decided, progress, writer))

    async def load(self, alerts: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Standing]:
        return await self._servers.ask("load", lambda: self._tables.load(alerts))

    async def settle(self, settlements: Sequence[Settlement], foreign: Sequence[DeadLetter]) -> None:
        await self._servers.ask("settle", lambda: self._tables.settle(settlements, foreign))

    async def pending(self, at_most: int) -> int:
        return await self._servers.ask("backlog", lambda: min(at_most, self._tables.pending()))


class SimOutbox:
    """The OutboxPublisher port: one idempotent producer, whose records of one partition stay in their order."""

    def __init__(self, servers: Servers) -> None:
        self._servers, self._tables, self._broker = servers, servers.tables, servers.broker
        self._last: dict[Place, float] = {}

    async def publish(self, decided: Decided) -> None:
        alerts = [
            (alert.id, alert.hostname, row[ALERT_PAYLOAD])
            for alert, row in zip(decided.alerts, decided.alert_rows, strict=True)
        ]
        await self._publish("publish", alerts, decided.letters)

    async def publish_pending(self, topic: str, partition: int) -> int:
        alerts, letters = await self._servers.ask("pending", lambda: self._pending((topic, partition)))
        await self._publish("publish_pending", alerts, letters)
        return len(alerts) + len(letters)

    async def flush(self) -> None:
        """Everything is marked at once here."""

    def _pending(self, place: Place) -> tuple[list[tuple[uuid.UUID, str, str]], list[DeadLetter]]:
        host = ALERTS.index("hostname")
        lines = [line for line in self._tables.alerts.values() if not line.published and line.row[2:4] == place]
        lines.sort(key=lambda line: line.row[4])
        letters = [line.letter for line in self._tables.letters.values() if not line.published]
        return (
            [(line.row[0], line.row[host], line.row[ALERT_PAYLOAD]) for line in lines],
            [letter for letter in letters if (letter.topic, letter.partition) == place],
        )

    async def _publish(
        self, name: str, alerts: Sequence[tuple[uuid.UUID, str, str]], letters: Sequence[DeadLetter]
    ) -> None:
        if not alerts and not letters:
            return
        records: list[tuple[Place, Any]] = []
        for _, host, payload in alerts:
            place = (ALERTS_TOPIC.name, self._broker.home(ALERTS_TOPIC.name, host.encode()))
            records.append((place, (host.encode(), payload.encode(), ())))
        records += [((DLQ.name, 0), to_record(letter)) for letter in letters]
        await self._send(name, records)
        ids = [alert for alert, _, _ in alerts] + [letter.id for letter in letters]
        await self._servers.ask("mark", lambda: self._mark(ids))

    async def _send(self, name: str, records: list[tuple[Place, Any]]) -> None:
        kind = self._servers.fault(name)
        if kind == FAIL:
            records = records[: len(records) // 2]  # some of it, before the broker was away
        late = LATE_S * self._servers.random.random() if kind in (LOST, LATE) else 0.0
        answers = [self._append(place, record, late) for place, record in records]
        if kind in (FAIL, LOST, LATE):
            await asyncio.sleep(self._servers.delay())
            raise BrokerUnavailable(f"{name}: no acknowledgement in time")
        await asyncio.gather(*answers)

    def _append(self, place: Place, record: Any, late: float) -> asyncio.Future[None]:
        now = self._servers.loop.time()
        at = max(self._last.get(place, 0.0), now + late + self._servers.delay())
        self._last[place] = at
        key, value, headers = record
        shown = [(header.decode("utf-8", "surrogateescape"), data) for header, data in headers]

        def append() -> None:
            self._broker.append(place, key, value, shown)

        return self._servers._after(at - now, append)

    def _mark(self, ids: Sequence[uuid.UUID]) -> None:
        for each in ids:
            line = self._tables.alerts.get(each) or self._tables.letters.get(each)
            if line is not None:
                line.published = True


class Receiver:
    """What takes the alerts. `log`: number, id, body, and the status it answered, heard by the sender or not."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.log: list[tuple[int, uuid.UUID, bytes, int | None]] = []
        self.answers: deque[str] = deque()

    async def post(self, alert_id: uuid.UUID, body: bytes, trace: str | None = None) -> Answer:
        kind = self.answers.popleft() if self.answers else "200"
        if kind != "200":
            self._servers.effects[f"receiver:{kind}"] += 1
        if kind == "away":
            return await self._servers._after(self._servers.delay(), lambda: Answer(fault=Fault.CONNECTION))
        if kind == "deaf":  # it never reads the request
            return await self._servers._after(0.5, lambda: Answer(fault=Fault.TIMEOUT))
        status = 200 if kind == "lost" else int(kind)
        answer = Answer(fault=Fault.TIMEOUT) if kind == "lost" else Answer(status=status, retry_after=_after(status))

        def take() -> Answer:
            self.log.append((self._servers.tables.number(), alert_id, body, status))
            return answer

        return await self._servers._after(self._servers.delay(), take)


def _after(status: int) -> str | None:
    return "1" if status == 429 else None
