"""Finds moments in what a client sends: a batch or a COMMIT to PostgreSQL, a produce request to Kafka. Pure.

A framer is fed what comes and gives pieces to send on, in order; a piece that is a moment is one whole message. All
pieces together are what was fed, but for the beginning of a message that is not yet there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

BATCH, COMMIT, PRODUCE = "batch", "commit", "produce"

_LENGTH = struct.Struct(">i")
_KAFKA_HEAD = struct.Struct(">ih")
_PRODUCE_KEY = 0
_ASKS_FOR_ENCRYPTION = (80877103, 80877104)
"""Codes of SSLRequest and GSSENCRequest; the start-up packet comes after them."""
_TYPED_HEAD = 1 + _LENGTH.size
_TO_READ = {b"Q": 64, b"P": 1024, b"B": 256}
"""Bytes of a message that are read to know what it is: of a simple query, of a Parse, of a Bind."""
_MOVES = b"UPDATE partition_progress SET next_offset"


class Piece(NamedTuple):
    data: bytes
    moment: str | None = None


class Framer(Protocol):
    """What follows one client's stream."""

    def feed(self, data: bytes) -> Iterator[Piece]: ...


class Plain:
    """A stream in which no moment is looked for."""

    def feed(self, data: bytes) -> Iterator[Piece]:
        yield Piece(data)


class _Framed:
    """A stream of messages with their length in front."""

    def __init__(self) -> None:
        self._held = b""
        self._passing = 0
        """Bytes of the current message that go on as they come."""

    def feed(self, data: bytes) -> Iterator[Piece]:
        self._held += data
        passing = b""
        for piece in self._pieces():
            if piece.moment is None:
                passing += piece.data
                continue
            if passing:
                yield Piece(passing)
                passing = b""
            yield piece
        if passing:
            yield Piece(passing)

    def _pieces(self) -> Iterator[Piece]:
        while self._held:
            if self._passing:
                yield Piece(part := self._taken(self._passing))
                self._passing -= len(part)
                continue
            seen = self._message(self._held)
            if seen is None:
                return
            length, moment = seen
            if moment is None:
                self._passing = length
            elif len(self._held) < length:
                return
            else:
                yield Piece(self._taken(length), moment)

    def _taken(self, length: int) -> bytes:
        part, self._held = self._held[:length], self._held[length:]
        return part

    def _message(self, held: bytes) -> tuple[int, str | None] | None:
        """Length in bytes and moment of the message that begins here; None while too little of it is there."""
        raise NotImplementedError


class KafkaFramer(_Framed):
    """Requests of a Kafka client."""

    def _message(self, held: bytes) -> tuple[int, str | None] | None:
        if len(held) < _KAFKA_HEAD.size:
            return None
        size, key = _KAFKA_HEAD.unpack_from(held)
        return _LENGTH.size + size, PRODUCE if key == _PRODUCE_KEY else None


class PostgresFramer(_Framed):
    """Messages of a PostgreSQL client whose session is not encrypted.

    A batch is the Bind of a statement that moves a partition on. What commits is a simple query COMMIT, or the Sync
    behind such a statement on its own: without its Sync the server has run it, and takes it back when the connection
    ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self._starting = True
        self._moving: set[bytes] = set()
        """Names of prepared statements that move a partition on."""
        self._in_transaction = False
        self._moves = False

    def _message(self, held: bytes) -> tuple[int, str | None] | None:
        return self._start_up(held) if self._starting else self._typed(held)

    def _start_up(self, held: bytes) -> tuple[int, str | None] | None:
        if len(held) < 2 * _LENGTH.size:
            return None
        length, code = struct.unpack_from(">ii", held)
        self._starting = code in _ASKS_FOR_ENCRYPTION
        return length, None

    def _typed(self, held: bytes) -> tuple[int, str | None] | None:
        if len(held) < _TYPED_HEAD:
            return None
        length = 1 + _LENGTH.unpack_from(held, 1)[0]
        if len(held) < min(length, _TO_READ.get(held[:1], 0)):
            return None
        return length, self._moment(held[:1], held[_TYPED_HEAD:length])

    def _moment(self, kind: bytes, body: bytes) -> str | None:
        """`body` is whole, or as much of it as is read."""
        if kind == b"Q":
            return self._asked(body.rstrip(b"\0; \n").upper())
        if kind == b"P":
            name, _, text = body.partition(b"\0")
            (self._moving.add if _MOVES in text else self._moving.discard)(name)
        elif kind == b"B":
            moves = body.split(b"\0", 2)[1] in self._moving
            self._moves = moves and not self._in_transaction
            return BATCH if moves else None
        elif kind == b"S" and self._moves:
            self._moves = False
            return COMMIT
        return None

    def _asked(self, text: bytes) -> str | None:
        if text.startswith((b"BEGIN", b"COMMIT", b"ROLLBACK")):
            self._in_transaction = text.startswith(b"BEGIN")
        return COMMIT if text == b"COMMIT" else None
