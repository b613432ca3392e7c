"""Bad input on the real path: Kafka, a running worker, the tables and mutt.dlq; each test is named by its row's id."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka.record.util import calc_crc32c
from confluent_kafka.admin import AdminClient

from ops.devstack.layout import free_port
from ops.devstack.processes import Child
from ops.devstack.stack import Stack
from schemas import codec
from schemas.topics import TOPICS
from tests.builders import alert, event_json
from tests.chaos.checker import anomalies
from tests.chaos.checker.evidence import KINDS
from tests.integration import bad_lines, many_bad_fields, many_bad_inputs
from tests.integration.bad_inputs import ROWS, STORED, E, Row
from tests.integration.conftest import System, empty_topics, end_workers, new_database
from tests.integration.pipeline import INGEST, add_rule, configure, settled, until
from tests.integration.topics import produce
from tests.integration.wire import Broker, Read, Sent, batch

TOPIC = "mutt.ingest.syslog"
GOOD = E.replace(b'"m"', b'"link down"')
GOOD_LINE = b"<34>1 2026-03-01T12:00:00Z h1 - - - - link down"
MIB = 1024 * 1024
PARTITIONS = 8
COPY_LIMIT = 2 * MIB - 1000
"""Bytes of a letter that the topic takes whole, about: of longer ones it has the first 64 KiB of the value."""
AT_ONCE, AT_ONCE_BYTES = 50, MIB
"""Cases in one batch at most, beside a good record at either end."""

CASES = {row.id: row for row in (*ROWS, *many_bad_inputs.rows(), *many_bad_fields.rows(), *bad_lines.rows())}
NUMBERS = sorted({row.number for row in CASES.values()})

Place = tuple[str, int, int]
"""Topic, partition, offset."""


class Arrived(NamedTuple):
    """What was sent where, and what became of it."""

    places: dict[str, Place]
    good: list[Place]
    audit: dict[Place, Any]
    letters: dict[Place, Any]
    published: dict[str, Read]
    ledger: dict[str, int]
    worker: Child
    survived: bool
    peak_mib: int
    anomalies: list[Any]
    topics: set[str]


@pytest.fixture(scope="module")
def arrived(kafka: Stack, postgres: Stack) -> Iterator[Arrived]:
    """All cases sent to one worker, among good records; read back once."""
    empty_topics(kafka)
    yield asyncio.run(_run(kafka))
    end_workers(kafka)


async def _run(stack: Stack) -> Arrived:
    database = await new_database(stack)
    try:
        return await _send_and_read_back(System(stack, database))
    finally:
        await database.pool.close()


async def _send_and_read_back(system: System) -> Arrived:
    pool, stack = system.database.pool, system.stack
    await add_rule(pool, "link down", "Log_only")
    await configure(pool, "audit_unhandled_events", "true")
    await configure(pool, "unhandled_threshold", "1000000")
    worker = system.start("match-1")
    places, good = await asyncio.to_thread(_send, stack.kafka.bootstrap)
    await settled(pool, stack.kafka.bootstrap)
    survived, peak = worker.running, _peak_mib(worker)
    assert await asyncio.to_thread(worker.stop) == 0
    arrived = await _read_back(system)
    return Arrived(places, good, worker=worker, survived=survived, peak_mib=peak, **arrived)


def _peak_mib(worker: Child) -> int:
    """The most memory the process ever held."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def _send(bootstrap: str) -> tuple[dict[str, Place], list[Place]]:
    """Where each case lies, and where the good records around them do."""
    places: dict[str, Place] = {}
    good: list[Place] = []
    with Broker(bootstrap) as broker:
        for number, rows in enumerate(_batches()):
            topic, partition = rows[0].topic, number % PARTITIONS
            fine = Sent(b"h1", GOOD_LINE if topic.endswith("raw") else GOOD)
            records = [fine, *(Sent(row.key, row.value, row.headers) for row in rows), fine]
            first = broker.send(topic, partition, batch(records))
            places |= {row.id: (topic, partition, first + at) for at, row in enumerate(rows, 1)}
            good += [(topic, partition, first), (topic, partition, first + len(rows) + 1)]
    return places, good


def _batches() -> Iterator[list[Row]]:
    """The cases of one topic after the other, in batches that the broker takes."""
    for _, rows in groupby(sorted(CASES.values(), key=lambda row: row.topic), lambda row: row.topic):
        taken: list[Row] = []
        size = 0
        for row in rows:
            if taken and (len(taken) == AT_ONCE or size + _size(row) > AT_ONCE_BYTES):
                yield taken
                taken, size = [], 0
            taken.append(row)
            size += _size(row)
        yield taken


def _size(row: Row) -> int:
    return sum(len(part or b"") for part in (row.key, row.value, *(part for header in row.headers for part in header)))


async def _read_back(system: System) -> dict[str, Any]:
    stack, pool = system.stack, system.database.pool
    audit = await pool.fetch("SELECT * FROM audit")
    letters = await pool.fetch("SELECT * FROM dead_letters")
    sums = ", ".join(f"sum({kind})::bigint AS {kind}" for kind in KINDS)
    with Broker(stack.kafka.bootstrap) as broker:
        published = [(dict(record.headers)[b"mutt.dlq.id"].decode(), record) for record in broker.read("mutt.dlq")]  # type: ignore[union-attr]
    assert len(published) == len(dict(published))
    return {
        "audit": {(row["topic"], row["partition"], row["offset"]): row for row in audit},
        "letters": {(row["topic"], row["partition"], row["offset"]): row for row in letters},
        "published": dict(published),
        "ledger": dict(await pool.fetchrow(f"SELECT {sums} FROM ledger")),
        "anomalies": await anomalies(system.database.dsn, None),
        "topics": set(AdminClient({"bootstrap.servers": stack.kafka.bootstrap}).list_topics(timeout=10).topics),
    }


@pytest.mark.parametrize("number", NUMBERS)
def test_row(number: str, arrived: Arrived) -> None:
    """Every case of a row of the catalogue; all that are wrong are told."""
    rows = [row for row in CASES.values() if row.number == number]
    wrong = {row.id: fault for row in rows if (fault := _fault(row, arrived)) is not None}
    assert not wrong, f"{len(wrong)} of {len(rows)}: {dict(list(wrong.items())[:5])}"


def _fault(row: Row, arrived: Arrived) -> str | None:
    place = arrived.places[row.id]
    audited, letter = arrived.audit.get(place), arrived.letters.get(place)
    if row.want == STORED:
        return _stored_fault(row, audited, letter)
    if letter is None or audited is not None:
        return "no dead letter" if letter is None else "audited too"
    if (letter["reason"], letter["stage"]) != (row.want, "decode"):
        return f"{letter['reason']} in {letter['stage']}: {letter['detail']}"
    if row.detail not in letter["detail"]:
        return f"the detail does not say {row.detail}: {letter['detail']}"
    return _copy_fault(row, letter, arrived.published[str(letter["id"])])


def _stored_fault(row: Row, audited: Any, letter: Any) -> str | None:
    if letter is not None or audited is None:
        return f"{letter['reason']}: {letter['detail']}" if letter is not None else "neither stored nor a letter"
    if (audited["disposition"], audited["raw"]) != ("unhandled", row.value):
        return f"{audited['disposition']}, or its bytes changed"
    columns = {name: audited[name] for name in row.columns}
    return None if columns == row.columns else f"{columns} is not {dict(row.columns)}"[:500]


def _copy_fault(row: Row, letter: Any, published: Read) -> str | None:
    """Byte-equal in the table, and on the topic with our headers last."""
    headers = tuple(zip(letter["header_names"], letter["header_values"], strict=True))
    if (letter["key"], letter["value"], headers) != (row.key, row.value, row.headers):
        return "the letter is not byte-equal"
    ours = published.headers[len(row.headers) :]
    if _size(row) > COPY_LIMIT:
        assert row.value is not None
        row = replace(row, value=row.value[: 64 * 1024])
    if (published.key, published.value, published.headers[: len(row.headers)]) != (row.key, row.value, row.headers):
        return "its copy on the topic is not byte-equal"
    said = dict(ours)
    right = said[b"mutt.dlq.reason"] == row.want.encode() and said[b"mutt.dlq.offset"] == b"%d" % letter["offset"]
    return None if right and all(name.startswith(b"mutt.dlq.") for name, _ in ours) else f"its headers say {said!r}"


def test_there_are_thousands_of_cases(arrived: Arrived) -> None:
    counts = Counter(row.number for row in CASES.values())
    print("cases by row:", json.dumps(counts), "in all:", len(CASES), file=sys.stderr)
    assert sum(counts.values()) >= 1000
    assert len(arrived.places) == len(CASES)
    assert {row.topic for row in CASES.values()} == set(INGEST)


def test_the_good_records_around_are_all_processed(arrived: Arrived) -> None:
    assert {arrived.audit[place]["disposition"] for place in arrived.good} == {"logged"}


def test_the_worker_is_the_same_process_and_its_books_balance(arrived: Arrived) -> None:
    counts = Counter(row.want == STORED for row in CASES.values())
    assert arrived.survived
    assert arrived.anomalies == []
    assert {kind: count for kind, count in arrived.ledger.items() if count} == {
        "logged": len(arrived.good), "unhandled": counts[True], "rejected": counts[False]
    }  # fmt: skip


def test_bad_input_takes_no_memory_that_good_input_would_not(arrived: Arrived) -> None:
    assert 0 < arrived.peak_mib < 400


def test_K21_K22_the_log_is_one_JSON_object_a_line(arrived: Arrived) -> None:
    log = arrived.worker.log.read_text(encoding="utf-8")
    assert "\x1b" not in log
    assert all(isinstance(json.loads(line), dict) for line in log.split("\n")[:-1])
    assert "forged" not in log


@pytest.mark.checks("FAUST_4")
def test_H1_no_topic_came_to_be(arrived: Arrived) -> None:
    assert {name for name in arrived.topics if not name.startswith("__")} == {topic.name for topic in TOPICS}


async def test_K28_one_event_ten_thousand_times_and_twenty_thousand_hosts(system: System) -> None:
    """Each is counted; what is remembered of them, and the metric's series, stay bounded."""
    pool, bootstrap, port = system.database.pool, system.stack.kafka.bootstrap, free_port()
    await add_rule(pool, "link down", "Ignore")
    worker = system.start("match-1", match_port=port)
    hosts = [(b"x%d" % n, event_json(hostname=f"x{n}", message="odd")) for n in range(200)]
    await asyncio.to_thread(produce, bootstrap, TOPIC, [(b"h1", GOOD), *hosts, *hosts])
    await settled(pool, bootstrap)
    series = await asyncio.to_thread(_series, port)
    await asyncio.to_thread(produce, bootstrap, TOPIC, [(b"h1", GOOD)] * 9_999)
    more = [(b"y%d" % n, event_json(hostname=f"y{n}", message="odd")) for n in range(20_000)]
    await asyncio.to_thread(produce, bootstrap, TOPIC, [*more, *more])
    await settled(pool, bootstrap)
    counted = await pool.fetchrow("SELECT sum(ignored)::int AS same, sum(unhandled)::int AS hosts FROM ledger")
    assert counted is not None
    assert dict(counted) == {"same": 10_000, "hosts": 40_400}
    rows = await pool.fetch("SELECT count(*) AS n FROM unhandled_signatures GROUP BY topic, partition")
    assert 0 < max(row["n"] for row in rows) <= 2000
    assert await asyncio.to_thread(_series, port) == series
    assert await asyncio.to_thread(worker.stop) == 0


def _series(port: int) -> set[str]:
    """Names and labels of every series a worker exports."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


CONNECT = (b"__connect.errors.topic", b"t"), (b"__connect.errors.partition", b"1"), (b"__connect.errors.offset", b"abc")
SPRING = (
    (b"kafka_dlt-original-topic", b"s"),
    (b"kafka_dlt-original-partition", b"abc"),
    (b"kafka_dlt-original-offset", b"\0" * 8),
)
STREAMS = ((b"__streams.errors.topic", b"u"), (b"__streams.errors.partition", b"2"), (b"__streams.errors.offset", b"7"))


async def test_H5_letters_of_other_tools_are_kept_as_foreign_and_flagged(system: System) -> None:
    families = {"connect": CONNECT, "spring": SPRING, "all": (*CONNECT, *SPRING, *STREAMS)}
    worker = system.start("dead-letters-1")
    with Broker(system.stack.kafka.bootstrap) as broker:
        for name, headers in families.items():
            broker.put("mutt.dlq", 0, Sent(name.encode(), b"value", headers))
    found: dict[str, Any] = {}

    async def indexed() -> bool:
        rows = await system.database.pool.fetch("SELECT * FROM dead_letters")
        found.update({row["key"].decode(): row for row in rows})
        return len(found) == len(families)

    await until(indexed, "all letters are in the table")
    for name, headers in families.items():
        row = found[name]
        assert (row["reason"], row["stage"], row["value"]) == ("foreign", "other", b"value")
        assert tuple(zip(row["header_names"], row["header_values"], strict=True)) == headers
        assert "headers that cannot be read" in row["detail"]
    assert (found["all"]["topic"], found["all"]["partition"], found["all"]["offset"]) == ("u", 2, 7)
    assert worker.running
    assert await asyncio.to_thread(worker.stop) == 0


async def test_K33_what_no_row_explains_is_never_delivered(system: System) -> None:
    system.stack.start_sink()
    before = len(system.stack.sink_log.read_bytes()) if system.stack.sink_log.exists() else 0
    ghost = codec.encode(alert())
    worker = system.start("forward-1")
    with Broker(system.stack.kafka.bootstrap) as broker:
        for value in (b"garbage", None, ghost):
            broker.put("mutt.alerts", 0, Sent(b"h1", value))
    found: list[Any] = []

    async def refused() -> bool:
        found[:] = await system.database.pool.fetch('SELECT reason, value FROM dead_letters ORDER BY "offset"')
        return len(found) == 3

    await until(refused, "each is a dead letter")
    assert [(row["reason"], row["value"]) for row in found] == [("foreign", v) for v in (b"garbage", None, ghost)]
    assert await asyncio.to_thread(worker.stop) == 0
    assert len(system.stack.sink_log.read_bytes() if system.stack.sink_log.exists() else b"") == before


@pytest.mark.proves("broker.wrong")
async def test_K15_damage_on_the_broker_s_disk_halts_that_partition_only(system: System) -> None:
    """A wrong checksum, an unknown codec and a payload that is no snappy, in three partitions; a fourth goes on."""
    kafka, pool = system.stack.kafka, system.database.pool
    with Broker(kafka.bootstrap) as broker:
        for partition in range(4):
            broker.put(TOPIC, partition, Sent(b"h1", GOOD))
            broker.send(TOPIC, partition, batch([Sent(b"h1", GOOD)], "snappy"))
            broker.put(TOPIC, partition, Sent(b"h1", GOOD))
    await asyncio.to_thread(kafka.stop)
    for partition, damage in enumerate((_flip, _other_codec, _no_snappy)):
        _damage(system.stack, partition, damage)
    await asyncio.to_thread(kafka.start)
    worker = system.start("match-1")
    damaged = {0: "its checksum is wrong", 1: "unknown compression codec 6", 2: "cannot be decompressed"}

    async def halted() -> bool:
        rows = await pool.fetch("SELECT partition, halted_reason FROM partition_progress WHERE halted_at IS NOT NULL")
        reasons.update({row["partition"]: row["halted_reason"] for row in rows})
        return len(reasons) == len(damaged)

    reasons: dict[int, str] = {}
    await until(halted, "three partitions halt")
    await settled(pool, kafka.bootstrap, but=frozenset((TOPIC, partition) for partition in damaged))
    assert all(text in reasons[partition] and "batch at 1" in reasons[partition] for partition, text in damaged.items())
    rows = await pool.fetch("SELECT partition, next_offset FROM partition_progress WHERE topic = $1 ORDER BY 1", TOPIC)
    assert [row["next_offset"] for row in rows[:4]] == [1, 1, 1, 3]
    assert worker.running
    assert await asyncio.to_thread(worker.stop) == 0


def _damage(stack: Stack, partition: int, damage: Callable[[bytearray, int, int], None]) -> None:
    """Changes the second batch of a partition's log as it lies on disk."""
    (segment,) = (stack.layout.home / "kafka" / "logs" / f"{TOPIC}-{partition}").glob("*.log")
    data = bytearray(segment.read_bytes())
    at = 12 + int.from_bytes(data[8:12])
    end = at + 12 + int.from_bytes(data[at + 8 : at + 12])
    damage(data, at, end)
    segment.write_bytes(data)


def _flip(data: bytearray, at: int, end: int) -> None:
    data[end - 1] ^= 1


def _other_codec(data: bytearray, at: int, end: int) -> None:
    data[at + 22] = data[at + 22] & ~7 | 6
    _right_checksum(data, at, end)


def _no_snappy(data: bytearray, at: int, end: int) -> None:
    data[at + 61 : end] = b"\xff" * (end - at - 61)
    _right_checksum(data, at, end)


def _right_checksum(data: bytearray, at: int, end: int) -> None:
    data[at + 17 : at + 21] = calc_crc32c(bytes(data[at + 21 : end])).to_bytes(4)
