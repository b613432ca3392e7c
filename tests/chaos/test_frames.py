"""Moments are found however the stream is cut into pieces, and nothing of the stream is lost."""

from __future__ import annotations

import struct

import pytest

from tests.chaos.frames import BATCH, COMMIT, PRODUCE, Framer, KafkaFramer, Piece, PostgresFramer

SSL = struct.pack(">ii", 8, 80877103)
START_UP = struct.pack(">ii", 8 + 10, 196608) + b"user\0mutt\0"


def typed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", 4 + len(body)) + body


def request(key: int, body: bytes) -> bytes:
    return struct.pack(">ihhi", 8 + len(body), key, 7, 1) + body


COMMIT_MESSAGE = typed(b"Q", b"COMMIT;\0")
SESSION = (
    SSL + START_UP + typed(b"p", b"secret\0") + typed(b"Q", b"BEGIN;\0") + typed(b"d", b"COMMIT;" * 100)
    + COMMIT_MESSAGE + typed(b"Q", b"SELECT 'COMMIT'\0")
)  # fmt: skip
SYNC = typed(b"S", b"")
MOVES = typed(b"P", b"s1\0WITH advanced AS (UPDATE partition_progress SET next_offset = $5 ...)\0" + bytes(2000))
READS = typed(b"P", b"s2\0SELECT next_offset FROM partition_progress\0\0\0")
READ = typed(b"B", b"\0s2\0" + bytes(300)) + typed(b"E", b"\0" + bytes(4)) + SYNC
MOVE = typed(b"B", b"\0s1\0" + bytes(3000))
MOVED = MOVE + typed(b"E", b"\0" + bytes(4))
ON_ITS_OWN = START_UP + MOVES + SYNC + READS + SYNC + READ + MOVED + SYNC + READ
IN_PARTS = (
    START_UP + MOVES + SYNC + typed(b"Q", b"BEGIN;\0") + MOVED + SYNC + COMMIT_MESSAGE + typed(b"Q", b"BEGIN\0")
    + MOVED + SYNC + typed(b"Q", b"ROLLBACK;\0") + READ
)  # fmt: skip
PRODUCE_MESSAGE = request(0, b"records" * 1000)
REQUESTS = request(18, b"") + request(1, b"fetch" * 500) + PRODUCE_MESSAGE + request(3, b"topics")


def fed(framer: Framer, stream: bytes, step: int) -> list[Piece]:
    return [piece for at in range(0, len(stream), step) for piece in framer.feed(stream[at : at + step])]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 100_000])
@pytest.mark.parametrize(
    ("make", "stream", "wanted"),
    [
        (PostgresFramer, SESSION, [Piece(COMMIT_MESSAGE, COMMIT)]),
        (PostgresFramer, ON_ITS_OWN, [Piece(MOVE, BATCH), Piece(SYNC, COMMIT)]),
        (PostgresFramer, IN_PARTS, [Piece(MOVE, BATCH), Piece(COMMIT_MESSAGE, COMMIT), Piece(MOVE, BATCH)]),
        (KafkaFramer, REQUESTS, [Piece(PRODUCE_MESSAGE, PRODUCE)]),
    ],
)
def test_a_moment_is_one_whole_piece(make: type[Framer], stream: bytes, wanted: list[Piece], step: int) -> None:
    pieces = fed(make(), stream, step)
    assert b"".join(piece.data for piece in pieces) == stream
    assert [piece for piece in pieces if piece.moment] == wanted


@pytest.mark.parametrize("text", [b"COMMIT\0", b"commit;\0", b"COMMIT; \0"])
def test_a_commit_may_be_written_in_these_ways(text: bytes) -> None:
    framer = PostgresFramer()
    list(framer.feed(START_UP))
    assert [piece.moment for piece in framer.feed(typed(b"Q", text))] == [COMMIT]


def test_what_lies_beside_a_moment_goes_on_in_one_piece() -> None:
    moments = [piece.moment for piece in KafkaFramer().feed(REQUESTS)]
    assert moments == [None, PRODUCE, None]
