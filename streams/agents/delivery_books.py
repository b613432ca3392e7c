"""Writes down what became of alerts, many at once, until it is written; then publishes the letters."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable

from schemas.dead_letters import DeadLetter
from schemas.errors import Unavailable
from schemas.topics import ALERTS
from streams import crash
from streams.agents.delivery_gate import Sleep
from streams.core.delivery import Settlement
from streams.core.ports import DeliveryStore, OutboxPublisher
from streams.core.watchdog import Chore
from streams.retries import wait_after

AT_ONCE = 500
"""Settlements of one transaction."""

LOOK_AGAIN_S = 30.0
"""So often letters are looked for that nobody published: one that was written for an owner who is gone since."""

Written = Callable[[], None]


class DeliveryBooks:
    """What is noted here is written in groups, in the order in which it came; `written` is called after the commit.

    Nothing noted is ever dropped: a store that is away is waited for (I7). `on_stuck` is told why, and None after.
    """

    def __init__(
        self,
        store: DeliveryStore,
        outbox: OutboxPublisher,
        *,
        sleep: Sleep,
        on_stuck: Callable[[str | None], None],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._sleep = sleep
        self._on_stuck = on_stuck
        self._draw = draw
        self._settlements: dict[uuid.UUID, tuple[Settlement, list[Written]]] = {}
        self._foreign: list[tuple[DeadLetter, Written]] = []
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._unpublished: set[int] = set()
        self._partitions: frozenset[int] = frozenset()
        self._publish = asyncio.Event()
        self.writing = Chore("writing deliveries")
        self.publishing = Chore("publishing letters")

    def note(self, settlement: Settlement, written: Written | None = None) -> None:
        """A later settlement of the same alert takes the place of one that is not being written yet."""
        earlier, callbacks = self._settlements.get(settlement.alert_id, (None, []))
        merged = settlement.after(earlier) if earlier is not None else settlement
        self._settlements[settlement.alert_id] = merged, [*callbacks, *([written] if written else [])]
        self._noted()

    def note_foreign(self, letter: DeadLetter, written: Written) -> None:
        self._foreign.append((letter, written))
        self._noted()

    def publish(self, partition: int) -> None:
        """Letters of this partition of mutt.alerts may wait to be published."""
        self._unpublished.add(partition)
        self._publish.set()

    def assign(self, partitions: Iterable[int]) -> None:
        """Those of mutt.alerts whose letters it publishes: what an earlier owner left, and from then on."""
        self._partitions = frozenset(partitions)
        for partition in self._partitions:
            self.publish(partition)

    async def written(self) -> None:
        """Waits until nothing noted is unwritten."""
        await self._empty.wait()

    async def run(self) -> None:
        """Writes and publishes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_forever(), name="deliveries-write")
            tasks.create_task(self._publish_forever(), name="deliveries-publish")
            tasks.create_task(self._look_again_forever(), name="deliveries-look")

    def _noted(self) -> None:
        self._empty.clear()
        self._wake.set()

    async def _write_forever(self) -> None:
        while True:
            await self._wake.wait()
            settled = [self._settlements.pop(name) for name in list(self._settlements)[:AT_ONCE]]
            foreign, self._foreign = self._foreign[:AT_ONCE], self._foreign[AT_ONCE:]
            if settled or foreign:
                letters = [letter for letter, _ in foreign]
                await self._write([settlement for settlement, _ in settled], letters)
                for written in [each for _, callbacks in settled for each in callbacks] + [each for _, each in foreign]:
                    written()
            if not self._settlements and not self._foreign:
                self._wake.clear()
                self._empty.set()

    async def _write(self, settlements: list[Settlement], foreign: list[DeadLetter]) -> None:
        attempt = 0
        while True:
            try:
                with self.writing:
                    await self._store.settle(settlements, foreign)
                break
            except Unavailable as fault:
                self._on_stuck(str(fault))
                await self._wait(fault, attempt)
                attempt += 1
        crash.here("settled")
        self._on_stuck(None)
        for partition in {each.partition for each in settlements if each.letter} | {each.partition for each in foreign}:
            self.publish(partition)

    async def _publish_forever(self) -> None:
        attempt = 0
        while True:
            await self._publish.wait()
            partition = min(self._unpublished)
            self._unpublished.discard(partition)
            try:
                with self.publishing:
                    await self._outbox.publish_pending(ALERTS.name, partition)
                attempt = 0
            except Unavailable as fault:
                self._unpublished.add(partition)
                await self._wait(fault, attempt)
                attempt += 1
            if not self._unpublished:
                self._publish.clear()

    async def _look_again_forever(self) -> None:
        while True:
            await self._sleep(LOOK_AGAIN_S)
            for partition in self._partitions:
                self.publish(partition)

    async def _wait(self, fault: Unavailable, attempt: int) -> None:
        await self._sleep(wait_after(fault, attempt, self._draw()))
