"""Fetched batches are read within bounds; what cannot be read becomes one stand-in, never an exception."""

from __future__ import annotations

import struct
import tracemalloc

import cramjam
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.core.batches import CorruptBatch, OversizedBatch, PlainRecord
from streams.unpack import RECORDS_LIMIT, Unpacker
from tests.integration.bombs import tiny_records
from tests.integration.wire import CODECS as PACKERS
from tests.integration.wire import packed, varint

MIB = 1024 * 1024
CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def built(values: list[bytes], *, codec: int = 0, headers: list[tuple[str, bytes]] | None = None) -> bytearray:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for offset, value in enumerate(values):
        assert builder.append(offset, timestamp=1000 + offset, key=b"k", value=value, headers=headers or []) is not None
    return bytearray(builder.build())


def recompressed(batch: bytearray, payload: bytes, codec: int) -> bytes:
    """The batch with another compressed payload, its length and checksum made right."""
    from aiokafka.record.util import calc_crc32c

    whole = batch[:61] + payload
    struct.pack_into(">i", whole, 8, len(whole) - 12)
    whole[22] = (whole[22] & ~7) | codec
    struct.pack_into(">I", whole, 17, calc_crc32c(bytes(whole[21:])))
    return bytes(whole)


def unpack(data: bytes, limit: int = MIB) -> list[object]:
    return [record for batch in Unpacker(limit).batches(data) for record in batch.unpack()]


@pytest.mark.parametrize("codec", [0, *CODECS.values()])
def test_every_codec_gives_the_records_back(codec: int) -> None:
    values = [b"one", b"", b"three" * 100]
    records = unpack(bytes(built(values, codec=codec, headers=[("a", b"1"), ("a", b"2")])))
    assert [record.value for record in records] == values  # type: ignore[attr-defined]
    assert [record.offset for record in records] == [0, 1, 2]  # type: ignore[attr-defined]
    assert records[0].headers == [("a", b"1"), ("a", b"2")]  # type: ignore[attr-defined]


@pytest.mark.parametrize("codec", CODECS)
def test_K14_a_bomb_is_one_stand_in_for_all_its_offsets(codec: str) -> None:
    batch = bytes(built([b"\0" * MIB, b"x", b"\0" * MIB], codec=CODECS[codec]))
    assert len(batch) < MIB
    (stand_in,) = unpack(batch)
    assert isinstance(stand_in, OversizedBatch)
    assert (stand_in.first, stand_in.offset, stand_in.value) == (0, 2, batch)


def test_K14_more_records_than_memory_has_room_for_are_one_stand_in() -> None:
    """Two megabytes of log are three million records, each of which takes a hundred bytes of memory and more."""
    few, many = (packed(bytes(cramjam.zstd.compress(tiny_records(n))), n, 4) for n in (20_000, RECORDS_LIMIT + 1))
    assert len(many) < MIB
    assert [record.offset for record in unpack(few, 32 * MIB)] == list(range(20_000))  # type: ignore[attr-defined]
    (stand_in,) = unpack(many, 32 * MIB)
    assert isinstance(stand_in, OversizedBatch)
    assert (stand_in.first, stand_in.offset) == (0, RECORDS_LIMIT)


def test_K14_a_batch_of_many_records_never_lies_in_memory_whole() -> None:
    data = packed(bytes(cramjam.zstd.compress(tiny_records(RECORDS_LIMIT))), RECORDS_LIMIT, 4)
    (batch,) = Unpacker().batches(data)
    records = batch.unpack()
    next(records)
    tracemalloc.start()
    try:
        assert sum(1 for _ in records) == RECORDS_LIMIT - 1
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", [0, 4])
def test_K14_K15_many_records_are_read_all_or_none(codec: int) -> None:
    records = tiny_records(20_000)
    last = len(records) - 9  # the length of the last record
    broken = records[:last] + b"\x7f" + records[last + 1 :]
    payload = bytes(cramjam.zstd.compress(broken)) if codec else broken
    (stand_in,) = unpack(packed(payload, 20_000, codec), 32 * MIB)
    assert isinstance(stand_in, CorruptBatch)


CLAIMS = {
    "a record of 1 GiB": varint(1 << 30) + b"\0\0\0",
    "a key of 1 GiB": varint(60) + b"\0\0\0" + varint(1 << 30) + b"k" * 50,
    "a value of 1 GiB": varint(60) + b"\0\0\0\x01" + varint(1 << 30) + b"v" * 50,
    "a billion headers": varint(60) + b"\0\0\0\x01\x01" + varint(1 << 30) + b"h" * 50,
    "a header of 1 GiB": varint(60) + b"\0\0\0\x01\x01\x02" + varint(1 << 30) + b"h" * 50,
    "a number that never ends": b"\xff" * 100,
    "less than nothing": varint(-5) + b"\0\0\0\x01\x01\0",
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("codec", [0, *CODECS.values()])
def test_K14_what_a_batch_claims_takes_no_memory(claim: str, codec: int) -> None:
    pack = dict(PACKERS.values()).get(codec, bytes)
    unpacker = Unpacker(MIB)
    tracemalloc.start()
    try:
        for count in (1, 2, 499_999):
            (batch,) = unpacker.batches(packed(bytes(pack(CLAIMS[claim])), count, codec))
            assert [type(found) for found in batch.unpack()] == [CorruptBatch]
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def test_K14_snappy_that_claims_more_than_it_holds_is_a_bomb_and_not_unpacked() -> None:
    for payload in (b"\x80\x80\x80\x80\x04abc", b"\xff\xff\xff\xff\x0fabc"):
        (stand_in,) = unpack(packed(payload, 1, CODECS["snappy"]))
        assert isinstance(stand_in, OversizedBatch)


@pytest.mark.parametrize("codec", CODECS)
def test_K15_a_cut_payload_is_corrupt(codec: str) -> None:
    whole = built([b"value" * 1000], codec=CODECS[codec])
    (stand_in,) = unpack(recompressed(whole, bytes(whole[61:-9]), CODECS[codec]))
    assert isinstance(stand_in, CorruptBatch)


def test_K15_a_wrong_checksum_an_unknown_codec_and_an_unknown_magic_are_corrupt() -> None:
    flipped = built([b"value"])
    flipped[-1] ^= 1
    unknown_codec = recompressed(built([b"value"]), b"payload", 7)
    unknown_magic = built([b"value"])
    unknown_magic[16] = 9
    for data in (bytes(flipped), unknown_codec, bytes(unknown_magic)):
        (stand_in,) = unpack(data)
        assert isinstance(stand_in, CorruptBatch)
        assert stand_in.offset == 0


def test_H2_header_names_that_are_not_utf8_come_through_byte_for_byte() -> None:
    plain = built([b"value"], headers=[("abc", b"1")])
    at = bytes(plain).index(b"abc")
    plain[at : at + 3] = b"a\xffc"
    (record,) = unpack(recompressed(plain, bytes(plain[61:]), 0))
    assert isinstance(record, PlainRecord)
    assert [(name.encode("utf-8", "surrogateescape"), value) for name, value in record.headers] == [(b"a\xffc", b"1")]
    assert (record.key, record.value, record.timestamp) == (b"k", b"value", 1000)


def test_several_batches_and_a_cut_one_at_the_end() -> None:
    one, two = bytes(built([b"one"])), bytes(built([b"two"], codec=3))
    assert [r.value for r in unpack(one + two + one[:-1])] == [b"one", b"two"]  # type: ignore[attr-defined]


def test_the_words_of_the_library_when_the_output_does_not_fit() -> None:
    """The unpacker tells a bomb from a damaged batch by these words."""
    for module in (cramjam.gzip, cramjam.lz4, cramjam.zstd):
        with pytest.raises(cramjam.DecompressionError, match="failed to write whole buffer"):
            module.decompress_into(bytes(module.compress(b"x" * 1000)), bytearray(10))
