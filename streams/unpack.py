"""Reads fetched record batches within bounds: a decompression bomb or a damaged batch becomes one stand-in record.

aiokafka decompresses without a limit, raises out of the poll on a bad checksum, and cannot read header names that are
not UTF-8. Here each batch is checked and unpacked into a fixed buffer first; aiokafka's own parser then reads the
plain bytes. Record batch format: Kafka protocol guide, "Record Batch", magic 2.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import cramjam
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import decode_varint

from streams.core.batches import CorruptBatch, OversizedBatch, PlainRecord

UNPACK_LIMIT = 32 * 1024 * 1024
"""Bytes a compressed batch may unpack to (BAD-INPUTS K14)."""
RECORDS_LIMIT = 500_000
"""Records a batch may hold: in memory each costs a hundred bytes and more, however few it has in the log. Events of
64 bytes fill UNPACK_LIMIT with as many."""
AT_ONCE = 10_000
"""Batches of more records are read twice, first to see that all can be read, so that they never lie in memory whole."""

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_AT, _OVERHEAD, _ATTRIBUTES_AT = 8, 12, 21
_CODEC_MASK, _LOG_APPEND_TIME, _CONTROL = 0x07, 0x08, 0x20
_XERIAL = b"\x82SNAPPY\x00"
_NO_ROOM = "failed to write whole buffer"
"""cramjam's words, for every codec, when the output does not fit (a test holds it to them)."""

Unpacked = Any
"""aiokafka's raw record, or one of PlainRecord, OversizedBatch, CorruptBatch."""


class _BombError(Exception):
    """The batch would unpack beyond a limit."""


class Unpacker:
    """Unpacks batches through one buffer that is reused; not safe for two threads at once."""

    def __init__(self, limit: int = UNPACK_LIMIT) -> None:
        self._limit = limit
        self._buffer: bytearray | None = None

    def batches(self, data: bytes) -> Iterator[Batch]:
        """The whole batches in one fetched chunk; a cut batch at its end is left for the next fetch."""
        position, size = 0, len(data)
        while size - position >= _OVERHEAD:
            end = position + _OVERHEAD + struct.unpack_from(">i", data, position + _LENGTH_AT)[0]
            if end > size:
                return
            yield Batch(self, data[position:end])
            position = end

    def plain(self, batch: bytes, codec: int) -> bytes:
        """The batch with its records uncompressed and the codec bits cleared. Raises _BombError or ValueError."""
        header = bytearray(batch[: _HEADER.size])
        header[_ATTRIBUTES_AT + 1] &= ~_CODEC_MASK & 0xFF
        payload = memoryview(batch)[_HEADER.size :]
        if codec == 2:
            return self._snappy(header, bytes(payload))
        module = {1: cramjam.gzip, 3: cramjam.lz4, 4: cramjam.zstd}.get(codec)
        if module is None:
            raise ValueError(f"unknown compression codec {codec}")
        return self._unpacked(header, payload, module)

    def _unpacked(self, header: bytearray, payload: memoryview, module: Any) -> bytes:
        if self._buffer is None:
            self._buffer = bytearray(_HEADER.size + self._limit)
        self._buffer[: _HEADER.size] = header
        try:
            size = module.decompress_into(payload, memoryview(self._buffer)[_HEADER.size :])
        except cramjam.DecompressionError as error:
            if _NO_ROOM in str(error):
                raise _BombError from None
            raise ValueError(f"cannot be decompressed: {error}") from None
        return bytes(memoryview(self._buffer)[: _HEADER.size + size])

    def _snappy(self, header: bytearray, payload: bytes) -> bytes:
        try:
            blocks = list(_snappy_blocks(payload))
            if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > self._limit:
                raise _BombError
            return b"".join([header, *map(cramjam.snappy.decompress_raw, blocks)])
        except (cramjam.DecompressionError, struct.error) as error:
            raise ValueError(f"cannot be decompressed: {error}") from None


class Batch:
    """One record batch. `unpack` yields its records, or one stand-in for all of them."""

    __slots__ = ("_data", "_header", "_unpacker")

    def __init__(self, unpacker: Unpacker, data: bytes) -> None:
        self._unpacker = unpacker
        self._data = data
        self._header = _HEADER.unpack_from(data) if len(data) >= _HEADER.size else None

    @property
    def base_offset(self) -> int:
        return int(self._header[0]) if self._header else int(struct.unpack_from(">q", self._data)[0])

    @property
    def next_offset(self) -> int:
        return self.base_offset + int(self._header[6]) + 1 if self._header else self.base_offset + 1

    @property
    def is_control(self) -> bool:
        return bool(self._header and self._header[5] & _CONTROL)

    def unpack(self) -> Iterator[Unpacked]:
        if problem := self._problem():
            yield CorruptBatch(self.base_offset, 0, problem)
            return
        assert self._header is not None
        codec = self._header[5] & _CODEC_MASK
        try:
            if self._header[12] > RECORDS_LIMIT:
                raise _BombError
            # Nothing here keeps the plain bytes: while the records are handed out, they lie in memory by themselves.
            yield from _records(self._unpacker.plain(self._data, codec) if codec else self._data)
        except _BombError:
            yield OversizedBatch(self.base_offset, self.next_offset - 1, int(self._header[8]), self._data)
        except (ValueError, IndexError, EOFError, struct.error) as error:
            yield CorruptBatch(self.base_offset, int(self._header[8]), f"batch at {self.base_offset}: {error}")

    def _problem(self) -> str | None:
        if self._header is None or self._header[3] != 2:
            return f"batch at {self.base_offset}: not a record batch of magic 2"
        if not DefaultRecordBatch(self._data).validate_crc():
            return f"batch at {self.base_offset}: its checksum is wrong"
        return None


def _records(plain: bytes) -> Iterator[Unpacked]:
    """The records of an uncompressed batch, all or none."""
    try:
        return _whole(lambda: DefaultRecordBatch(plain))
    except UnicodeDecodeError:
        return _whole(lambda: _slow_records(plain))
    except Exception as error:  # aiokafka's CorruptRecordException and what its C parser raises
        raise ValueError(f"its records cannot be read: {error}") from error


def _whole(read: Callable[[], Iterable[Unpacked]]) -> Iterator[Unpacked]:
    """What is read to its end: kept where it is little, else read once more. Raises what reading raises."""
    records = chain(read())  # aiokafka's own iterator refuses to be taken up again
    kept = list(islice(records, AT_ONCE + 1))
    if len(kept) <= AT_ONCE:
        return iter(kept)
    kept.clear()
    deque(records, maxlen=0)
    return iter(read())


def _slow_records(plain: bytes) -> Iterator[PlainRecord]:
    """The same in Python, for batches with header names that are not UTF-8."""
    header = _HEADER.unpack_from(plain)
    buffer, position = bytearray(plain), _HEADER.size
    for _ in range(header[12]):
        _, position = decode_varint(buffer, position)
        _, position = decode_varint(buffer, position)
        delta, position = decode_varint(buffer, position)
        offset, position = decode_varint(buffer, position)
        key, position = _bytes(buffer, position)
        value, position = _bytes(buffer, position)
        count, position = decode_varint(buffer, position)
        headers = []
        for _ in range(count):
            name, position = _bytes(buffer, position)
            content, position = _bytes(buffer, position)
            headers.append(((name or b"").decode("utf-8", "surrogateescape"), content))
        timestamp = header[8] if header[5] & _LOG_APPEND_TIME else header[7] + delta
        yield PlainRecord(header[0] + offset, timestamp, key, value, tuple(headers))


def _bytes(buffer: bytearray, position: int) -> tuple[bytes | None, int]:
    length, position = decode_varint(buffer, position)
    if length < 0:
        return None, position
    return bytes(buffer[position : position + length]), position + length


def _snappy_blocks(payload: bytes) -> Iterator[bytes]:
    """The blocks of the Java client's framing (magic, two versions, then length and block), or the one plain block."""
    if not payload.startswith(_XERIAL):
        yield payload
        return
    position = 16
    while position < len(payload):
        (length,) = struct.unpack_from(">i", payload, position)
        yield payload[position + 4 : position + 4 + length]
        position += 4 + length
