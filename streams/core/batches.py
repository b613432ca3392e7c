"""What the batch driver hands on: the records of one partition from one poll, as a range of offsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

RawHeaders = Sequence[tuple[str, bytes | None]]
"""Header names that are not UTF-8 carry surrogate escapes, so that they encode back byte for byte."""


class Record(Protocol):
    """One Kafka record. `timestamp` is the broker's, in ms since the epoch."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> RawHeaders: ...


class PlainRecord(Struct, frozen=True):
    """A record with its fields in plain sight: for records the fast parser refuses, and for tests."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: RawHeaders = ()


class OversizedBatch(Struct, frozen=True):
    """Stands for a producer batch that would unpack beyond the limit: `first` to `offset`, never unpacked."""

    first: int
    offset: int
    timestamp: int
    value: bytes
    """The compressed batch as it lies in the log."""
    key: bytes | None = None
    headers: RawHeaders = ()


class CorruptBatch(Struct, frozen=True):
    """Stands for a batch that cannot be read: the partition halts there."""

    offset: int
    timestamp: int
    problem: str
    value: bytes = b""
    key: bytes | None = None
    headers: RawHeaders = ()


class PolledBatch(Struct):
    """The records of one partition from one poll. They cover `[first, after)` without a gap in what was read:
    an offset in the range without a record is not in the log any more."""

    topic: str
    partition: int
    first: int
    after: int
    records: Sequence[Record]
    rewound: bool
    """The log gave offsets below what was read before, though nobody asked for it."""
    acknowledge: Callable[[], None]
    size: int = 0
    """Bytes of keys, values and headers: what the batch costs in memory, roughly."""


def size_of_headers(headers: RawHeaders) -> int:
    """Bytes of names and values, roughly, and what a header costs beside them."""
    return sum([64 + len(name) + len(value or b"") for name, value in headers])
