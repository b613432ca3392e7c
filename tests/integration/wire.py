"""Kafka's wire protocol, as little of it as tests need: batches made by hand, sent and read back byte for byte.

Client libraries refuse what hostile producers send (header names that are not UTF-8, batches that unpack to a GiB).
Formats: Kafka protocol guide, Produce v7, Fetch v4, "Record Batch" of magic 2.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import cramjam
from aiokafka.record.util import calc_crc32c

Headers = tuple[tuple[bytes, bytes | None], ...]


def _lz4(data: bytes) -> bytes:
    """With independent blocks, the only kind the broker reads."""
    packer = cramjam.lz4.Compressor(level=1, content_checksum=False, block_linked=False)
    packer.compress(data)
    return bytes(packer.finish())


CODECS: dict[str, tuple[int, Callable[[bytes], Any]]] = {
    "gzip": (1, cramjam.gzip.compress),
    "snappy": (2, cramjam.snappy.compress_raw),
    "lz4": (3, _lz4),
    "zstd": (4, cramjam.zstd.compress),
}
"""Number and packer by name."""

_UNPACK: dict[int, Callable[[bytes], Any]] = {0: bytes, 4: cramjam.zstd.decompress}

_PRODUCE, _FETCH = (0, 7), (1, 4)
_NO_LEADER_YET = (3, 5, 6)
_HEAD = struct.Struct(">qiibI")
_BODY = struct.Struct(">hiqqqhii")


class Sent(NamedTuple):
    """A record to send."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Read(NamedTuple):
    """A record as it lies in the log."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


# -- batches ----------------------------------------------------------------------------------------------------


def batch(records: Sequence[Sent], codec: str | None = None) -> bytes:
    """A record batch as a producer sends it."""
    payload = b"".join(record_bytes(record, delta) for delta, record in enumerate(records))
    if codec is None:
        return packed(payload, len(records), 0)
    number, pack = CODECS[codec]
    return packed(bytes(pack(payload)), len(records), number)


def packed(payload: bytes, count: int, codec: int) -> bytes:
    """A batch around records that are compressed already."""
    now = time.time_ns() // 1_000_000
    body = _BODY.pack(codec, count - 1, now, now, -1, -1, -1, count) + payload
    return _HEAD.pack(0, len(body) + 9, -1, 2, calc_crc32c(body)) + body


def record_bytes(record: Sent, delta: int) -> bytes:
    parts = [b"\0", varint(0), varint(delta), _sized(record.key), _sized(record.value), varint(len(record.headers))]
    for name, value in record.headers:
        parts += [_sized(name), _sized(value)]
    body = b"".join(parts)
    return varint(len(body)) + body


def varint(number: int) -> bytes:
    """Zigzag."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _sized(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


# -- requests ---------------------------------------------------------------------------------------------------


class Broker:
    """One connection to the broker, which leads every partition."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 60)

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, topic: str, partition: int, data: bytes) -> int:
        """Appends a batch; returns its first offset. AssertionError with Kafka's error code when it is refused."""
        body = struct.pack(">hhi", -1, -1, 30_000) + _array_of_one(topic, partition) + _bytes(data)
        at = 4 + 2 + len(topic) + 4
        answer = self._ask_leader(_PRODUCE, body, at)
        return int(struct.unpack_from(">q", answer, at + 6)[0])

    def put(self, topic: str, partition: int, record: Sent) -> int:
        return self.send(topic, partition, batch([record]))

    def read(self, topic: str, partitions: Iterable[int] = range(8)) -> list[Read]:
        """Every record there is, uncompressed or compressed with what our producers use (zstd)."""
        return [record for partition in partitions for record in self._read_partition(topic, partition)]

    def _read_partition(self, topic: str, partition: int) -> list[Read]:
        found: list[Read] = []
        offset = 0
        while True:
            end, data = self._fetch(topic, partition, offset)
            for first, after, payload, count in _batches(data):
                found += [r for r in _records(payload, count, partition, first) if r.offset >= offset]
                offset = after
            if offset >= end:
                return found

    def _fetch(self, topic: str, partition: int, offset: int) -> tuple[int, bytes]:
        limit = 16 * 1024 * 1024
        wanted = struct.pack(">qi", offset, limit)
        body = struct.pack(">iiiib", -1, 500, 1, limit, 0) + _array_of_one(topic, partition) + wanted
        at = 4 + 4 + 2 + len(topic) + 4
        answer = self._ask_leader(_FETCH, body, at)
        end, _, aborted = struct.unpack_from(">qqi", answer, at + 6)
        at += 26 + 16 * max(0, aborted)
        (size,) = struct.unpack_from(">i", answer, at)
        return int(end), answer[at + 4 : at + 4 + max(0, size)]

    def _ask_leader(self, api: tuple[int, int], body: bytes, at: int) -> bytes:
        """The answer, asked for again while a new topic's leaders are still being elected."""
        deadline = time.monotonic() + 20
        while True:
            answer = self._ask(api, body)
            _, error = struct.unpack_from(">ih", answer, at)
            if error == 0:
                return answer
            assert error in _NO_LEADER_YET and time.monotonic() < deadline, f"Kafka error {error}"  # noqa: PT018
            time.sleep(0.05)

    def _ask(self, api: tuple[int, int], body: bytes) -> bytes:
        request = struct.pack(">hhih", *api, 1, 4) + b"test" + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", self._receive(4))
        return self._receive(size)[4:]

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            assert part, "the broker closed the connection"
            data += part
        return bytes(data)


def _array_of_one(topic: str, partition: int) -> bytes:
    return struct.pack(">ih", 1, len(topic)) + topic.encode() + struct.pack(">ii", 1, partition)


def _bytes(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


# -- reading ----------------------------------------------------------------------------------------------------


def _batches(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    at = 0
    while at + 12 <= len(data):
        first, length = struct.unpack_from(">qi", data, at)
        if at + 12 + length > len(data):
            return
        codec, last_delta, *_, count = _BODY.unpack_from(data, at + _HEAD.size)
        payload = data[at + _HEAD.size + _BODY.size : at + 12 + length]
        yield first, first + last_delta + 1, bytes(_UNPACK[codec & 7](payload)), count
        at += 12 + length


def _records(payload: bytes, count: int, partition: int, first: int) -> Iterator[Read]:
    cursor = _Cursor(payload)
    for _ in range(count):
        cursor.number()
        cursor.at += 1
        cursor.number()
        offset = first + cursor.number()
        key, value = cursor.data(), cursor.data()
        headers = tuple((cursor.data() or b"", cursor.data()) for _ in range(cursor.number()))
        yield Read(partition, offset, key, value, headers)


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.bytes = data
        self.at = 0

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.bytes[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)

    def data(self) -> bytes | None:
        size = self.number()
        if size < 0:
            return None
        self.at += size
        return self.bytes[self.at - size : self.at]
