"""Dead letters as records: original bytes first, our headers last, other tools' headers read."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import Headers, Reason
from schemas.events import Position, derived_id
from streams.core.letter_headers import clean_detail
from streams.core.letters import (
    CUT_LENGTH,
    CUT_MARK,
    RECORD_LIMIT,
    from_record,
    header_names,
    is_cut,
    named_letter,
    to_record,
)
from tests.builders import dead_letter

ON_DLQ = Position("mutt.dlq", 2, 41, 1_772_366_500_000)

any_headers = st.lists(st.tuples(st.binary(max_size=8), st.none() | st.binary(max_size=8)), max_size=6).map(tuple)
any_bytes = st.none() | st.binary(max_size=30)


def connect(topic: bytes = b"orders", partition: bytes = b"3", offset: bytes = b"12") -> Headers:
    return (
        (b"__connect.errors.topic", topic),
        (b"__connect.errors.partition", partition),
        (b"__connect.errors.offset", offset),
        (b"__connect.errors.exception.message", b"bad\x1b[31m schema"),
    )


def spring(partition: bytes = (9).to_bytes(4, "big"), offset: bytes = (77).to_bytes(8, "big")) -> Headers:
    return (
        (b"kafka_dlt-original-topic", b"payments"),
        (b"kafka_dlt-original-partition", partition),
        (b"kafka_dlt-original-offset", offset),
        (b"kafka_dlt-exception-message", b"boom"),
    )


@given(any_bytes, any_bytes, any_headers)
def test_a_letter_survives_the_topic_byte_for_byte(key: bytes | None, value: bytes | None, headers: Headers) -> None:
    letter = dead_letter(key=key, value=value, headers=headers)
    assert from_record(ON_DLQ, *to_record(letter)) == letter


def test_our_headers_come_last_and_in_the_documented_order() -> None:
    _, _, headers = to_record(dead_letter(headers=((b"traceparent", b"00-1"), (b"x", None))))
    names = ["id", "stage", "reason", "detail", "topic", "partition", "offset", "timestamp"]
    names += ["attempts", "first_failed_at", "last_failed_at", "replays"]
    assert [name.decode() for name, _ in headers] == ["traceparent", "x", *(f"mutt.dlq.{name}" for name in names)]


def test_forged_headers_of_the_original_stay_and_mean_nothing() -> None:
    forged = ((b"mutt.dlq.reason", b"delivery"), (b"mutt.dlq.replays", b"0"), (b"mutt.dlq.id", b"nonsense"))
    letter = dead_letter(headers=forged, reason=Reason.JSON)
    assert from_record(ON_DLQ, *to_record(letter)) == letter


def test_how_often_a_letter_was_replayed_is_never_read_from_a_header() -> None:
    assert from_record(ON_DLQ, *to_record(dead_letter(replays=3))).replays == 0


def test_a_huge_letter_is_cut_on_the_topic_and_says_so() -> None:
    value = b"v" * (RECORD_LIMIT + 1)
    letter = dead_letter(value=value)
    record = to_record(letter)
    assert record[1] == value[:CUT_LENGTH]
    detail = dict(record[2])[b"mutt.dlq.detail"]
    assert detail is not None
    assert f"{CUT_MARK} value of {len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}" in detail.decode()
    back = from_record(ON_DLQ, *record)
    assert is_cut(back)
    assert back.id == letter.id
    assert not is_cut(letter)


def test_headers_beyond_the_limit_are_left_out_of_the_copy() -> None:
    headers = tuple((b"name", b"x" * 3000) for _ in range(1000))
    key, value, record_headers = to_record(dead_letter(headers=headers))
    assert (key, value is not None, len(record_headers)) == (b"h1", True, 12)
    assert b"1000 headers left out" in (dict(record_headers)[b"mutt.dlq.detail"] or b"")


def test_a_thousand_headers_and_one_of_a_megabyte_are_kept() -> None:
    headers = (*((b"n%d" % n, b"v") for n in range(1000)), (b"big", b"x" * 1_000_000))
    assert from_record(ON_DLQ, *to_record(dead_letter(headers=headers))).headers == headers


@pytest.mark.parametrize(
    ("headers", "tool", "origin"),
    [
        (connect(), "Kafka Connect", ("orders", 3, 12)),
        (spring(), "Spring", ("payments", 9, 77)),
        (
            tuple(
                (b"__streams.errors." + name, text)
                for name, text in ((b"topic", b"t"), (b"partition", b"0"), (b"offset", b"1"), (b"exception", b"E"))
            ),
            "Kafka Streams",
            ("t", 0, 1),
        ),
        (
            tuple(
                (b"__dlq.errors." + name, text)
                for name, text in ((b"topic", b"t"), (b"partition", b"0"), (b"offset", b"1"), (b"message", b"M"))
            ),
            "share group",
            ("t", 0, 1),
        ),
        (connect() + spring(), "Kafka Connect", ("orders", 3, 12)),
        ((), "another tool", ("mutt.dlq", 2, 41)),
    ],
)
def test_letters_of_other_tools(headers: Headers, tool: str, origin: tuple[str, int, int]) -> None:
    letter = from_record(ON_DLQ, b"k", b"v", headers)
    assert letter.reason is Reason.FOREIGN
    assert letter.id == derived_id("foreign", ON_DLQ)
    assert (letter.topic, letter.partition, letter.offset) == origin
    assert letter.detail.startswith(f"put there by {tool}")
    assert letter.detail.isprintable()
    assert (letter.key, letter.value, letter.headers) == (b"k", b"v", headers)


CONNECT_FACTS: Headers = (
    (b"__connect.errors.connector.name", b"jdbc"),
    (b"__connect.errors.task.id", b"0"),
    (b"__connect.errors.stage", b"VALUE_CONVERTER"),
)


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        (
            connect() + CONNECT_FACTS,
            "Kafka Connect (connector jdbc, task 0, stage VALUE_CONVERTER): bad\\x1b[31m schema",
        ),
        ((*connect()[:3], (b"__connect.errors.exception.class.name", b"E")), "Kafka Connect: E"),
        (connect()[:3], "Kafka Connect"),
        (((b"__streams.errors.exception", b"E"), (b"__streams.errors.message", b"M")), "Kafka Streams: M"),
        (((b"__streams.errors.exception", b"E"), (b"__streams.errors.message", None)), "Kafka Streams: E"),
        (
            ((b"__dlq.errors.group", b"g"), (b"__dlq.errors.delivery.count", b"5"), (b"__dlq.errors.message", b"no")),
            "share group (group g, deliveries 5): no",
        ),
        (((*spring(), (b"kafka_dlt-original-consumer-group", b"g"))), "Spring (group g): boom"),
        (((b"kafka_dlt-exception-fqcn", b"a.B"),), "Spring: a.B"),
        ((*spring(), (b"__streams.errors.message", b"M")), "Spring: boom"),
    ],
)
def test_the_detail_says_who_and_why(headers: Headers, detail: str) -> None:
    assert from_record(ON_DLQ, b"k", b"v", headers).detail == f"put there by {detail}"


@pytest.mark.parametrize(
    ("headers", "unreadable", "origin"),
    [
        (connect(offset=b"abc"), "Kafka Connect offset", ("mutt.dlq", 2, 41)),
        (connect(topic=b"../etc"), "Kafka Connect topic", ("mutt.dlq", 2, 41)),
        (connect(offset=b"9" * 19), "Kafka Connect offset", ("mutt.dlq", 2, 41)),
        (connect()[1:], "Kafka Connect topic", ("mutt.dlq", 2, 41)),
        (spring(partition=b"\0\0\1"), "Spring partition", ("mutt.dlq", 2, 41)),
        (spring(offset=b"\xff" * 8), "Spring offset", ("mutt.dlq", 2, 41)),
        (connect(offset=b"abc") + spring(), "Kafka Connect offset", ("payments", 9, 77)),
        (((b"mutt.dlq.reason", b"shed"),), "mutt no id", ("mutt.dlq", 2, 41)),
    ],
)
def test_malformed_headers_are_kept_and_flagged(
    headers: Headers, unreadable: str, origin: tuple[str, int, int]
) -> None:
    letter = from_record(ON_DLQ, b"k", b"v", headers)
    assert letter.reason is Reason.FOREIGN
    assert letter.detail.startswith(f"headers that cannot be read: {unreadable}")
    assert (letter.topic, letter.partition, letter.offset) == origin
    assert letter.headers == headers


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"mutt.dlq.reason", b"because"),
        (b"mutt.dlq.first_failed_at", b"yesterday"),
        (b"mutt.dlq.last_failed_at", b"2026-03-01T12:00:00"),
        (b"mutt.dlq.timestamp", b"9" * 18),
        (b"mutt.dlq.partition", None),
    ],
)
def test_one_wrong_header_of_ours_makes_the_record_foreign(name: bytes, text: bytes | None) -> None:
    key, value, headers = to_record(dead_letter())
    letter = from_record(ON_DLQ, key, value, (*headers, (name, text)))
    assert letter.reason is Reason.FOREIGN
    assert name.decode().removeprefix("mutt.dlq.") in letter.detail


@given(any_headers, any_bytes)
def test_no_record_of_others_breaks_the_reader(headers: Headers, value: bytes | None) -> None:
    assert from_record(ON_DLQ, None, value, headers).headers == headers


def test_names_come_as_text_or_bytes_and_leave_as_bytes() -> None:
    assert header_names([("caf\udce9", b"1"), (b"\xff", None), ("é", b"")]) == (
        (b"caf\xe9", b"1"),
        (b"\xff", None),
        ("é".encode(), b""),
    )
    assert header_names(None) == ()


def test_details_are_printable_bounded_and_storable() -> None:
    assert clean_detail("a\x00b\x1b[2J\ud800") == "a\\x00b\\x1b[2J\\ud800"
    assert len(clean_detail("\x00" * 5000)) == 2000


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ((), None),
        (((b"mutt.dlq.id", b"no id"),), None),
        (((b"mutt.dlq.id", None),), None),
        (((b"mutt.dlq.id", b"\xff"),), None),
        (((b"mutt.dlq.id", str(uuid.UUID(int=1)).encode()), (b"mutt.dlq.id", str(uuid.UUID(int=2)).encode())), 2),
    ],
)
def test_the_last_replay_header_names_the_letter(headers: Headers, named: int | None) -> None:
    assert named_letter(headers) == (uuid.UUID(int=named) if named else None)
