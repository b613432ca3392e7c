"""Reads `mutt.dlq` and keeps the table of dead letters complete: what other tools put there appears too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from schemas.dead_letters import DeadLetter
from schemas.events import Position
from schemas.topics import DLQ
from streams import crash, metrics
from streams.core.letters import from_record, header_names
from streams.core.ports import Clock, LetterStore

CHUNK_BYTES = 8 * 1024 * 1024
"""Bytes of letters written in one go, at most (one letter may be larger)."""

T = TypeVar("T")


class Retry(Protocol):
    """Calls `action` until it does not raise Unavailable, with backoff and jitter, for ever if need be."""

    async def __call__(self, action: Callable[[], Awaitable[T]]) -> T: ...


class TopicRecord(Protocol):
    """A record as the consumer gives it; `timestamp` is the broker's, in ms since the epoch."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str | bytes, bytes | None]]: ...


class LetterIndex:
    """Inserts letters that the table does not have yet. Its own id makes a second reading harmless."""

    def __init__(self, store: LetterStore, clock: Clock, retry: Retry) -> None:
        self._store = store
        self._clock = clock
        self._retry = retry

    async def index(self, partition: int, records: Sequence[TopicRecord]) -> int:
        """Indexes the records of one partition of `mutt.dlq`, in order. Returns how many letters were new."""
        new = 0
        for letters in _chunks(_letter(partition, record) for record in records):
            new += await self._insert(letters)
        return new

    async def _insert(self, letters: Sequence[DeadLetter]) -> int:
        now = self._clock.now().astimezone(dt.UTC)
        return await self._retry(lambda: self._store.insert_absent(letters, now))


async def index_dead_letters(stream: Any, index: LetterIndex) -> None:
    """The agent: a polled batch is acknowledged when all its letters are in the table."""
    async for event in stream.noack().events():
        message = event.message
        crash.here("letters_read")
        metrics.LETTERS_INDEXED.inc(await index.index(message.partition, message.records))
        crash.here("letters_indexed")
        event.ack()


def _letter(partition: int, record: TopicRecord) -> DeadLetter:
    position = Position(DLQ.name, partition, record.offset, record.timestamp)
    return from_record(position, record.key, record.value, header_names(record.headers))


def _chunks(letters: Iterable[DeadLetter]) -> Iterable[list[DeadLetter]]:
    chunk: list[DeadLetter] = []
    held = 0
    for letter in letters:
        size = len(letter.value or b"") + sum(len(value or b"") for _, value in letter.headers)
        if chunk and held + size > CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
        chunk.append(letter)
        held += size
    if chunk:
        yield chunk
