"""One batch of records for one partition, with a record of a given kind at its beginning, middle or end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from confluent_kafka import Producer

TOPIC = "mutt.ingest.syslog"
RECORDS = 9


class Kind(Enum):
    """What becomes of a record."""

    MATCHED = "an alert"
    UNMATCHED = "a signature and an audit row"
    REJECTED = "a letter"


class Position(Enum):
    FIRST = 0
    MIDDLE = RECORDS // 2
    LAST = RECORDS - 1


KINDS = tuple(Kind)
TEXT = {Kind.MATCHED: "link down on port", Kind.UNMATCHED: "nothing knows this", Kind.REJECTED: "cut off"}
POISON = "poison"
"""A record with this text is refused by the table of a database where `POISONED` was executed."""

POISONED = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.message LIKE '%poison%' THEN RAISE EXCEPTION 'no such value' USING ERRCODE = '22023'; END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse();
"""

Record = tuple[bytes, bytes]
"""Key and value."""


@dataclass(frozen=True)
class Batch:
    """Records of one partition. `unmatched` of them, of one host, come to one signature."""

    records: list[Record]
    unmatched: int


def batch(kind: Kind, position: Position, run: int, *, kinds: Sequence[Kind] = KINDS, poison: bool = False) -> Batch:
    """As many records of each of the kinds in turn, the one at the position of this kind.

    Poison: that record is refused as a row, or the one beside it where it comes to no audit row.
    """
    turn = [kinds[(number - position.value + kinds.index(kind)) % len(kinds)] for number in range(RECORDS)]
    poisoned = position.value if kind is not Kind.REJECTED else abs(position.value - 1)
    texts = [TEXT[each] + (f" {POISON}" if poison and at == poisoned else "") for at, each in enumerate(turn)]
    pairs = list(zip(turn, texts, strict=True))
    records = [_record(each, text, at, run) for at, (each, text) in enumerate(pairs)]
    return Batch(records, sum(each is Kind.UNMATCHED and POISON not in text for each, text in pairs))


def _record(kind: Kind, text: str, number: int, run: int) -> Record:
    host = f"host-{run}" if kind is Kind.UNMATCHED else f"host-{run}-{number}"
    event = {"timestamp": "2026-03-01T12:00:00Z", "hostname": host, "message": f"{text} {number}"}
    value = json.dumps(event).encode()
    return host.encode(), value[:-9] if kind is Kind.REJECTED else value


def publish(bootstrap: str, partition: int, records: list[Record]) -> int:
    """Publishes them in order, all at once, to the partition of `TOPIC`; returns the offset of the first.

    They are one batch however slow this process is: nothing is sent before `flush`, which does not linger.
    """
    offsets: list[int] = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 60_000})
    for key, value in records:
        producer.produce(
            TOPIC, value, key=key, partition=partition, on_delivery=lambda _, m: offsets.append(m.offset())
        )
    assert producer.flush(60) == 0
    assert None not in offsets
    assert sorted(offsets) == list(range(min(offsets), min(offsets) + len(records)))
    return min(offsets)
