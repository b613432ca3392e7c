"""Events that come by HTTP: read as the match worker will read them, and what became of each on its way to Kafka."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas import codec
from schemas.events import Event
from schemas.topics import SNMP, SYSLOG, Topic
from streams.core.rate_limit import SHORTEST_WAIT_S

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class IngestRecord:
    """An event as it goes to Kafka: the producer's bytes, keyed by its host."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """The broker has it, here."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Unpublished:
    """The broker did not say that it has it. Where that is `unknown` it may have it all the same."""

    unknown: bool


class EventSink(Protocol):
    """Where events are published to."""

    async def publish(self, records: Sequence[IngestRecord], headers: Headers = ()) -> list[Published | Unpublished]:
        """Waits for the broker's acknowledgements, at most its deadline; one outcome for each record, in their order.

        Raises BrokerUnavailable where none of them was acknowledged (what was sent may be on the topic all the same),
        and Overloaded where too much waits for the broker already. The caller does not retry.
        """


class UndecidedRecords(Protocol):
    """What waits on the ingest topics."""

    async def count(self) -> int:
        """Records that no worker has decided. Asks broker and database; raises Unavailable. The caller has a guess."""


def to_record(value: bytes) -> IngestRecord:
    """The event in these bytes, checked by the worker's own decoder: what passes is never a dead letter for its fields.

    Raises RecordRejected.
    """
    event = codec.decode(value, SYSLOG).event
    return IngestRecord(_topic(event).name, event.hostname.encode(), value)


def _topic(event: Event) -> Topic:
    return SNMP if event.trap_oid is not None or event.source == SNMP.source else SYSLOG


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """How many events one key may post within a window."""

    events: int
    window_s: float


MOST_KEYS = 10_000


class Windows:
    """Counts events by key in windows that begin with a key's first event. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, int]] = {}

    def take(self, key: str, events: int, now: float, policy: WindowPolicy) -> float:
        """0.0 where they may come in (they are counted); else the seconds after which to ask again."""
        began, counted = self._begun.get(key, (now, 0))
        if now - began >= policy.window_s:
            began, counted = now, 0
        if counted + events > policy.events:
            return max(began + policy.window_s - now, SHORTEST_WAIT_S)
        self._begun[key] = (began, counted + events)
        if len(self._begun) > MOST_KEYS:
            self._forget(now, policy)
        return 0.0

    def _forget(self, now: float, policy: WindowPolicy) -> None:
        self._begun = {key: one for key, one in self._begun.items() if now - one[0] < policy.window_s}


def undecided(ends: Mapping[tuple[str, int], int], stands: Mapping[tuple[str, int], int]) -> int:
    """Records between where partitions stand and where their logs end."""
    return sum(max(0, end - stands.get(place, 0)) for place, end in ends.items())
