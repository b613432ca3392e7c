"""What the forwarder has in hand: alerts and the batches they came in, a cap on both, each batch acknowledged once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import Struct

from streams.core.batches import PolledBatch
from streams.core.pending import Pending


class HeldCaps(Struct, frozen=True):
    """What is held at most before the next batch waits (I6); the batch that crosses it is still taken."""

    records: int = 10_000
    bytes: int = 64 * 1024 * 1024


@dataclass(eq=False)
class Hand:
    """A polled batch, and how many of its records are not settled yet."""

    batch: PolledBatch
    size: int
    left: int


@dataclass(eq=False, kw_only=True)
class Held(Pending):
    """One alert in hand. Without hands its partition is revoked: a post on its way is still written down."""

    hands: list[Hand] = field(default_factory=list)


class Hold:
    """Everything in hand. A batch is acknowledged when all of its records are settled."""

    def __init__(self, caps: HeldCaps) -> None:
        self._caps = caps
        self._held: dict[uuid.UUID, Held] = {}
        self._hands: set[Hand] = set()
        self._room = asyncio.Event()
        self._room.set()
        self.records = 0
        self.bytes = 0

    async def room(self) -> None:
        """Waits while as much is held as may be."""
        await self._room.wait()

    def take(self, batch: PolledBatch) -> Hand:
        """The batch is in hand; it counts as one more record, so that an empty one is settled too."""
        hand = Hand(batch, batch.size, len(batch.records) + 1)
        self._hands.add(hand)
        self._count(len(batch.records), hand.size)
        return hand

    def settle(self, hand: Hand) -> None:
        """One record of the batch is settled."""
        hand.left -= 1
        if hand.left == 0 and hand in self._hands:
            self._hands.discard(hand)
            self._count(-len(hand.batch.records), -hand.size)
            hand.batch.acknowledge()

    def get(self, alert_id: uuid.UUID) -> Held | None:
        return self._held.get(alert_id)

    def add(self, held: Held) -> None:
        self._held[held.alert.id] = held

    def drop(self, held: Held) -> None:
        """The alert is in hand no more."""
        self._held.pop(held.alert.id, None)

    def settled(self, held: Held) -> None:
        """What became of the alert is written down, for every copy of it."""
        self.drop(held)
        for hand in held.hands:
            self.settle(hand)

    def unknown(self, alerts: Iterable[uuid.UUID]) -> list[uuid.UUID]:
        """Those that are not in hand."""
        return [alert for alert in alerts if alert not in self._held]

    def let_go(self) -> None:
        """No batch is acknowledged any more. The alerts stay until they are dropped or settled."""
        for held in self._held.values():
            held.hands.clear()
        self._hands.clear()
        self._count(-self.records, -self.bytes)

    def _count(self, records: int, size: int) -> None:
        self.records += records
        self.bytes += size
        if self.records < self._caps.records and self.bytes < self._caps.bytes:
            self._room.set()
        else:
            self._room.clear()
