"""Small batches that unpack to much: what a hostile producer can send, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import cramjam

from tests.integration.bad_inputs import E
from tests.integration.wire import CODECS, Sent, batch, packed, record_bytes, varint

MIB = 1024 * 1024
GIB = 1024 * MIB
TINY = 2_000_000
"""Records without key and value in one batch."""
FULL = 31
"""Records of almost 1 MiB that one batch may have."""
_GOOD = E.replace(b'"m"', b'"link down"')


class Bomb(NamedTuple):
    """One record batch, what its records are compressed to, and how many it says they are."""

    batch: bytes
    payload: bytes
    records: int


def _bomb(payload: bytes, records: int, codec: str) -> Bomb:
    return Bomb(packed(payload, records, CODECS[codec][0]), payload, records)


def _two_records(codec: str) -> Bomb:
    """64 MiB in two records."""
    records = b"".join(record_bytes(Sent(b"h1", b"\0" * (32 * MIB)), delta) for delta in (0, 1))
    return _bomb(bytes(CODECS[codec][1](records)), 2, codec)


def _one_record(codec: str, size: int, packer: cramjam.zstd.Compressor | cramjam.gzip.Compressor) -> Bomb:
    """One record of many bytes, never whole in memory."""
    head = b"\0" + varint(0) + varint(0) + varint(-1) + varint(size)
    packer.compress(varint(len(head) + size + 1) + head)
    for _ in range(size // MIB):
        packer.compress(b"\0" * MIB)
    packer.compress(varint(0))
    return _bomb(bytes(packer.finish()), 1, codec)


def _tiny_records() -> Bomb:
    """As many records as there is room for, each of which costs more in memory than in the log."""
    return _bomb(bytes(CODECS["zstd"][1](tiny_records(TINY))), TINY, "zstd")


def tiny_records(count: int) -> bytes:
    """Records without key, value and headers."""
    parts = []
    for delta in range(count):
        body = b"\0\0" + varint(delta) + b"\x01\x01\0"
        parts += [varint(len(body)), body]
    return b"".join(parts)


BOMBS: dict[str, Callable[[], Bomb]] = {
    **{codec: cache(lambda codec=codec: _two_records(codec)) for codec in CODECS},
    "zstd-1GiB": cache(lambda: _one_record("zstd", GIB, cramjam.zstd.Compressor())),
    "gzip-256MiB": cache(lambda: _one_record("gzip", 256 * MIB, cramjam.gzip.Compressor())),
    "tiny-records": cache(_tiny_records),
}
"""By name; each is made once. One letter, `too_large`, stands for each."""


def nested(codec: str) -> Sent:
    """A record whose value is a bomb itself: nobody unpacks it, whatever its header says."""
    return Sent(b"h1", _inner(codec), ((b"content-encoding", codec.encode()),))


@cache
def _inner(codec: str) -> bytes:
    """64 MiB in at most 1 MiB."""
    data = b"\0" * (64 * MIB)
    for name in (codec, "zstd"):
        data = bytes(CODECS[name][1](data))
        if len(data) < MIB:
            return data
    raise AssertionError(codec)


@cache
def allowed(kind: str) -> bytes:
    """A batch of 32 KB that unpacks to almost 32 MiB, as it may: the room is in the values, keys or headers."""
    size = MIB - 100
    one = {
        "values": Sent(b"h1", _GOOD + b" " * (size - len(_GOOD))),
        "keys": Sent(b"k" * size, _GOOD),
        "headers": Sent(b"h1", _GOOD, ((b"n", b"v" * size),)),
    }[kind]
    return batch([one] * FULL, "zstd")
