"""Kafka in memory: logs that are cut, compacted and replaced, and a group with eager rebalances and generations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from zlib import crc32

from streams.core.batches import PlainRecord
from tests.histories.loop import Process, VirtualLoop

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
START_MS = round(START.timestamp() * 1000)

Place = tuple[str, int]


@dataclass
class Log:
    """One partition: its records by offset, `[begin, end)`."""

    begin: int = 0
    end: int = 0
    last_ms: int = 0
    records: dict[int, PlainRecord] = field(default_factory=dict)

    def read(self, position: int, most: int) -> list[PlainRecord]:
        found: list[PlainRecord] = []
        for offset in range(position, self.end):
            if (record := self.records.get(offset)) is not None:
                found.append(record)
                if len(found) == most:
                    break
        return found


class Broker:
    """Every log. `changed` is told when there is something to read."""

    def __init__(self, loop: VirtualLoop, partitions: dict[str, int]) -> None:
        self._loop = loop
        self.partitions = partitions
        self.logs: dict[Place, Log] = {
            (topic, number): Log() for topic, count in partitions.items() for number in range(count)
        }
        self.changed: list[Callable[[Place], None]] = []

    def home(self, topic: str, key: bytes | None) -> int:
        return crc32(key or b"") % self.partitions[topic]

    def append(
        self, place: Place, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]] = ()
    ) -> PlainRecord:
        log = self.logs[place]
        log.last_ms = max(log.last_ms + 1, START_MS + round(self._loop.time() * 1000))
        record = PlainRecord(log.end, log.last_ms, key, value, tuple(headers))
        log.records[log.end] = record
        log.end += 1
        for tell in self.changed:
            tell(place)
        return record

    def retain(self, place: Place, begin: int) -> list[int]:
        """Retention: the log begins here from now on. The offsets that are gone."""
        log = self.logs[place]
        gone = [offset for offset in log.records if offset < begin]
        for offset in gone:
            del log.records[offset]
        log.begin = max(log.begin, begin)
        return gone

    def truncate(self, place: Place, end: int) -> list[int]:
        """An unclean election: what comes next takes offsets that were used."""
        log = self.logs[place]
        gone = [offset for offset in log.records if offset >= end]
        for offset in gone:
            del log.records[offset]
        log.end = min(log.end, end)
        return gone

    def replace(self, place: Place) -> list[int]:
        """The topic is recreated: its log begins again at 0, and is empty."""
        log = self.logs[place]
        gone = list(log.records)
        self.logs[place] = Log(last_ms=log.last_ms)
        return gone


class Member(Protocol):
    """A worker as the group sees it. Both are called in its own process."""

    process: Process

    def told_revoked(self) -> None: ...

    def told_assigned(self, places: list[Place], generation: int) -> None: ...


class Group:
    """A consumer group with eager rebalances. `delay` draws how long a rebalance takes."""

    def __init__(self, loop: VirtualLoop, places: Sequence[Place], delay: Callable[[], float]) -> None:
        self._loop = loop
        self._places = list(places)
        self._delay = delay
        self.members: list[Member] = []
        self.generation = 0
        self.committed: dict[Place, int] = {}
        self.owner: dict[Place, Any] = {}
        self.turn = 0

    def join(self, member: Member) -> None:
        if member not in self.members:
            self.members.append(member)
            self.rebalance()

    def leave(self, member: Member) -> bool:
        """Expelled, or gone: it is not told."""
        if member not in self.members:
            return False
        self.members.remove(member)
        self.rebalance()
        return True

    def rebalance(self) -> None:
        self.generation += 1
        self.turn += 1
        self.owner.clear()
        for member in self.members:
            self._loop.call_soon(member.told_revoked, context=member.process.context)
        self._loop.outside(self._delay(), self._assign, self.generation)

    def _assign(self, generation: int) -> None:
        if generation != self.generation or not self.members:
            return
        shares: dict[int, list[Place]] = {number: [] for number in range(len(self.members))}
        for number, place in enumerate(self._places):
            share = (number + self.turn) % len(self.members)
            shares[share].append(place)
            self.owner[place] = self.members[share]
        for number, member in enumerate(self.members):
            self._loop.call_soon(member.told_assigned, shares[number], generation, context=member.process.context)

    def commit(self, member: Member, generation: int, place: Place, offset: int) -> bool:
        """Refused for whoever is not of this generation."""
        if member not in self.members or generation != self.generation:
            return False
        self.committed[place] = offset
        return True
