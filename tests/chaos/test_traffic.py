"""The records of a seed: the same each time, and the broken ones are broken as they say, by the product's own codec."""

from __future__ import annotations

from collections import Counter

from schemas.codec import decode
from schemas.errors import RecordRejected
from schemas.topics import TOPICS as ALL
from tests.chaos.traffic import TOPICS, Record, record

RECORDS = [record(7, number) for number in range(5000)]


def test_the_same_seed_gives_the_same_records() -> None:
    assert [record(7, number) for number in range(100)] == RECORDS[:100]
    assert [record(8, number) for number in range(100)] != RECORDS[:100]


def test_a_host_sends_to_one_topic() -> None:
    assert len({(one.key, one.topic) for one in RECORDS}) == len({one.key for one in RECORDS})
    assert {one.topic for one in RECORDS} == set(TOPICS)


def test_every_way_of_being_broken_is_there() -> None:
    reasons = Counter(one.expect for one in RECORDS)
    assert len(reasons) == 11
    assert min(reasons.values()) > 5
    assert 0.9 < reasons[None] / len(RECORDS) < 0.97


def fate(one: Record) -> str | None:
    [topic] = [topic for topic in ALL if topic.name == one.topic]
    try:
        decode(one.value, topic, one.key)
    except RecordRejected as rejected:
        return f"rejected:{rejected.reason}"
    return None


def test_the_product_sees_in_each_record_what_the_traffic_meant() -> None:
    assert [(one, fate(one)) for one in RECORDS if fate(one) != one.expect] == []
