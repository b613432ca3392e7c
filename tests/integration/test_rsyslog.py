"""Real rsyslogd and real Kafka: what a device sends is an event, the same one that mutt reads in the line itself."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.devstack.stack import Stack
from schemas import codec
from schemas.events import Decoded, Event, Flag
from schemas.syslog import parse_line
from schemas.topics import RAW, SYSLOG, topics_by_name
from tests.integration.conftest import empty_topics
from tests.integration.rsyslog import OPENSSL, PATIENCE_S, RSYSLOGD, Rsyslog, counted, ended
from tests.integration.topics import end_offsets, read_all
from tests.matrix.ground import frozen, server
from tests.run import CORPUS

SENDER = b"127.0.0.1"
OWN = b'"program":"rsyslogd'
WITHIN_S = 90.0

pytestmark = pytest.mark.skipif(
    RSYSLOGD is None or OPENSSL is None,
    reason="rsyslogd or openssl is not installed (packages rsyslog, rsyslog-kafka, rsyslog-openssl and openssl)",
)

PLAIN = (
    b"<187>Nov 25 04:50:00 core-1 app: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
    b"<187>Nov 25 04:50:00 core-1 %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
    b'<12>1 2026-11-25T04:50:00Z core-2 db 71 M1 [zoo@123 tiger="\\"hun\\\\gry\\]" tiger="x"][a b="c"] one',
    b"<12>1 2026-11-25T04:50:00.123456+02:00 core-2 - - - - two",
    b"<12>1 - - - - - -   three",
    b"<12>1 - core-2 - - - - \xef\xbb\xbfbyte order mark caf\xc3\xa9",
    b"<12>1 - core-2 - - - -",
    b"<34>Nov 25 04:50:00 core-3 ker/nel[12]:  two spaces",
    b"<34>Nov 25 04:50:00 core-3 app:",
    b"<34>Nov 25 04:50:00 core-3 app: cr lf\r",
    b'<34>Nov 25 04:50:00 core-3 app: quotes " and \\ and / and \\u0041 \\"',
    b"<34>Nov 25 04:50:00 core-3 app: two\nlines\tand \x01\x02\x08\x0c\x1b[0m\x7f",
    "<34>Nov 25 04:50:00 core-3 app: é \u2028 \U0001f600 \u0085".encode(),
    b"<34>Nov 25 04:50:00 core-3 app: " + b'8 KiB "\\' * 1024,
    b"<34>Nov 25 04:50:00 core-3 app: " + b"100 KB ab " * 10_000,
)
"""Lines that go out as JSON."""
ODD = (
    b"<34>Nov 25 04:50:00 core-3 app: not UTF-8 \xff\xfe \xed\xa0\x80 \xc0\x80",
    b"<34>Nov 25 04:50:00 core-3 \xff: neither is this program",
    b'<12>1 - core-2 - - - [a b="\xff"] nor this structured data',
    b'<12>1 - core-2 - - - [a b="no end] structured data',
    b"<12>1 2026-13-25T04:50:00Z core-2 - - - - month 13",
    b"<12>2 - core-2 - - - - version 2",
    b"<192>Nov 25 04:50:00 core-3 app: no such priority",
    b"Nov 25 04:50:00 core-3 app: no priority",
    "no header at all é".encode(),
    b"{}",
    b"<34>: 000123: *Nov 25 04:50:00.123 UTC: %SYS-5-CONFIG_I: Configured from console",
    b"<34>Nov 25 04:50:00 2026 core-3 app: with a year",
    b"<34>Nov 25 04:50:00 core-3 last message repeated 2 times",
)
"""Lines that go out as they are."""


@pytest.fixture(scope="module")
def topics(kafka: Stack) -> Stack:
    """Kafka with the topics; each test looks only at what it added."""
    empty_topics(kafka)
    return kafka


@pytest.fixture(scope="module")
def daemon(topics: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    with Rsyslog(tmp_path_factory.mktemp("rsyslog"), topics.kafka.bootstrap, tls=True).running() as daemon:
        yield daemon


class Arrivals:
    """What is on the ingest topics of syslog beyond what was there, but for what rsyslogd says itself."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.before = {name: end_offsets(bootstrap, name) for name in (SYSLOG.name, RAW.name)}

    def records(self, name: str) -> list[Any]:
        before = self.before[name]
        new = (record for record in read_all(self.bootstrap, name) if record.offset() >= before[record.partition()])
        return [record for record in new if OWN not in record.value()]

    def once_there(self, count: int) -> list[Any]:
        """The records, once so many different ones are there."""
        end = time.monotonic() + WITHIN_S
        while True:
            records = self.records(SYSLOG.name) + self.records(RAW.name)
            if len({record.value().rstrip() for record in records}) >= count:
                return records
            assert time.monotonic() < end, f"{len(records)} of {count} records arrived"
            time.sleep(0.2)


@pytest.fixture
def arrivals(topics: Stack) -> Arrivals:
    return Arrivals(topics.kafka.bootstrap)


def said(decoded: Decoded) -> tuple[object, ...]:
    """Every field of an event but its time."""
    event = decoded.event
    names = (name for name in Event.__struct_fields__ if name != "timestamp")
    return tuple(json.dumps(getattr(event, name), sort_keys=True) for name in names)


def read(records: Iterable[Any]) -> list[Decoded]:
    """As a worker reads them; none is refused."""
    return [codec.decode(record.value(), topics_by_name()[record.topic()], record.key()) for record in records]


def meant(lines: Iterable[bytes]) -> Counter[tuple[object, ...]]:
    return Counter(said(parse_line(line, key=SENDER)) for line in lines)


def shown(line: bytes) -> bytes:
    """A line as the raw topic has it: what omkafka or rsyslog cannot carry is written out."""
    return line.removesuffix(b"\n").replace(b"\0", b"#000").replace(b"\n", b"#012")


def compare(records: Iterable[Any], lines: Iterable[bytes]) -> None:
    """Every line is there, as often as it was sent: either itself, or as the event that mutt would have read in it."""
    records = list(records)
    as_lines = Counter(record.value().removesuffix(b"\n") for record in records if record.topic() == RAW.name)
    others = []
    for line in lines:
        if as_lines[shown(line)]:
            as_lines[shown(line)] -= 1
        else:
            others.append(line)
    assert +as_lines == Counter()
    assert Counter(map(said, read(record for record in records if record.topic() == SYSLOG.name))) == meant(others)


def topic_of(records: Iterable[Any]) -> Counter[str]:
    return Counter(record.topic() for record in records)


def test_what_rsyslog_reads_goes_out_as_json_field_by_field(daemon: Rsyslog, arrivals: Arrivals) -> None:
    daemon.send(counted(PLAIN))
    records = arrivals.once_there(len(PLAIN))
    assert [record.value() for record in records if record.topic() == RAW.name] == []
    decoded = read(records)
    assert Counter(map(said, decoded)) == meant(PLAIN)
    assert all(one.event_time is not None and set(one.flags) <= {Flag.MESSAGE_CUT} for one in decoded)
    times = {one.event.message: one.event_time for one in decoded}
    for line in PLAIN[2:4]:
        expected = parse_line(line)
        assert times[expected.event.message] == expected.event_time
    assert [record.key().decode() for record in records] == [one.event.hostname for one in decoded]


def test_what_is_odd_goes_out_byte_by_byte(daemon: Rsyslog, arrivals: Arrivals) -> None:
    daemon.send(counted(ODD))
    records = arrivals.once_there(len(ODD))
    assert {record.value() for record in records} == {line + b"\n" for line in ODD}
    assert topic_of(records) == {RAW.name: len(ODD)}
    compare(records, ODD)


def test_what_cannot_be_carried_is_shown(daemon: Rsyslog, arrivals: Arrivals) -> None:
    daemon.send(counted([b"<34>Nov 25 04:50:00 core-3 app: a\0b", b"<34>odd\xff\nand two lines"]))
    found = {one.event.message for one in read(arrivals.once_there(2))}
    assert found == {"a#000b", "<34>oddÿ#012and two lines"}


def test_by_udp_by_lines_and_by_tls(daemon: Rsyslog, arrivals: Arrivals) -> None:
    lines = [line for line in (*PLAIN, *ODD) if b"\n" not in line and len(line) < 60_000]
    marked = {way: [line.replace(b": ", b": " + way + b" ", 1) for line in lines] for way in (b"udp", b"tcp", b"tls")}
    daemon.send_datagrams(marked[b"udp"])
    daemon.send(ended(marked[b"tcp"]))
    daemon.send_tls(counted(marked[b"tls"]))
    everything = [line for way in marked.values() for line in way]
    compare(arrivals.once_there(len(set(everything))), everything)


def test_who_lies_about_a_length_harms_no_other(daemon: Rsyslog, arrivals: Arrivals) -> None:
    line = b"<34>Nov 25 04:50:00 core-3 app: honest %d"
    for number, lie in enumerate((b"5 ", b"9000 ", b"99999999999 ", b"-5 ", b"0 ", b"007 ")):
        daemon.send(lie + b"<34>Nov 25 04:50:00 core-9 app: a lie\n")
        daemon.send(counted([line % number]))
    end = time.monotonic() + WITHIN_S
    wanted = {f"honest {number}" for number in range(6)}
    while not wanted <= {one.event.message for one in read(arrivals.once_there(6))}:
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.corpus
def test_the_samples_arrive(daemon: Rsyslog, arrivals: Arrivals) -> None:
    """Each as it is, and those without a priority with one as well, and in RFC 5424: more than 10,000 lines."""
    samples = [json.loads(line)["raw"].encode() for line in (CORPUS / "syslog_lines.jsonl").read_text().splitlines()]
    vectors = [json.loads(line) for line in (CORPUS / "syslog_vectors.jsonl").read_text().splitlines()]
    bare = [line for line in samples if not line.startswith(b"<")]
    lines = samples + [front + line for front in (b"<38>", b"<38>1 - core-9 app - - - ") for line in bare]
    lines += [one["input"].encode() if "input" in one else base64.b64decode(one["input_base64"]) for one in vectors]
    assert len(lines) > 10_000
    daemon.send(counted(lines))
    whole = Counter(line for line in lines)
    records = arrivals.once_there(len(whole))
    assert topic_of(records)[SYSLOG.name] > 4_000
    compare(records, lines)


def test_the_raw_variant_sends_every_line_as_it_came(kafka: Stack, arrivals: Arrivals, tmp_path: Path) -> None:
    lines = [line for line in (*PLAIN, *ODD) if b"\n" not in line]
    with Rsyslog(tmp_path, kafka.kafka.bootstrap, "mutt_raw").running() as daemon:
        daemon.send(counted(lines))
        records = arrivals.once_there(len(lines))
    assert {record.value() for record in records} == {line + b"\n" for line in lines}
    compare(records, lines)


@contextmanager
def dead(kafka: Stack) -> Iterator[None]:
    kafka.kafka.kill()
    try:
        yield
    finally:
        kafka.start_kafka()


def still(kafka: Stack) -> AbstractContextManager[None]:
    return frozen(server(kafka.kafka.child))


@pytest.mark.parametrize(
    ("away", "seconds"),
    [
        pytest.param(still, 5.0, id="still"),
        pytest.param(dead, 20.0, id="dead", marks=[pytest.mark.campaign, pytest.mark.timeout(300)]),
    ],
)
def test_what_tcp_took_outlives_an_outage_and_restarts(
    kafka: Stack, arrivals: Arrivals, tmp_path: Path, away: Callable[[Stack], AbstractContextManager[None]],
    seconds: float,
) -> None:  # fmt: skip
    """Kafka is away; rsyslogd takes more, is restarted twice, and takes more: all of it arrives."""
    form = f"<34>Nov 25 04:50:00 core-{{}} app: {{:05}}\nof {away.__name__}"
    lines = [form.format(number % 3, number).encode() for number in range(5400)]
    with Rsyslog(tmp_path, kafka.kafka.bootstrap).running() as daemon:
        daemon.send(counted(lines[:300]))
        arrivals.once_there(300)
        with away(kafka):
            end = time.monotonic() + seconds
            for first in (300, 2000, 3700):
                daemon.send(counted(lines[first : first + 1700]))
                if first < 3700:
                    daemon.stop()
                    daemon.start()
            time.sleep(max(0.0, end - time.monotonic()))
        records = arrivals.once_there(len(lines))
    compare(first_of_each(records), lines)


def test_a_stop_ends_while_kafka_is_away_and_nothing_is_lost(kafka: Stack, arrivals: Arrivals, tmp_path: Path) -> None:
    """Stopped as soon as it listens; and when it does not end, killed, with what it had read from the last stop."""
    lines = [f"<34>Nov 25 04:50:00 core-1 app: stop {number:03}".encode() for number in range(300)]
    daemon = Rsyslog(tmp_path, kafka.kafka.bootstrap)
    with still(kafka):
        daemon.start()
        daemon.send(counted(lines))
        daemon.stop()
        kept = (tmp_path / "mutt.failed").read_bytes()
        daemon.environment["RSYSLOG_STOP_S"] = "1"
        daemon.start()
        daemon.freeze()
        daemon.process.terminate()
        assert daemon.process.wait(PATIENCE_S) == 128 + signal.SIGKILL
        assert b"is killed" in daemon.log.read_bytes()
        assert kept.strip() in (tmp_path / "mutt.failed").read_bytes().replace(b"\n\n", b"\n")
    with daemon.running():
        compare(first_of_each(arrivals.once_there(len(lines))), lines)


def test_told_to_stop_in_its_first_moment_it_leaves_no_rsyslogd(tmp_path: Path) -> None:
    """By the program that the script runs after it has started rsyslogd and before it waits for it."""
    early = tmp_path / "bin" / "date"
    early.parent.mkdir()
    early.write_text('#!/bin/sh\nkill -TERM "$PPID"\nexec /bin/date "$@"\n')
    early.chmod(0o755)
    daemon = Rsyslog(tmp_path, "127.0.0.1:9")
    daemon.environment["PATH"] = f"{early.parent}:{daemon.environment['PATH']}"
    daemon.begin()
    assert daemon.process.wait(PATIENCE_S) == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(daemon.process.pid, signal.SIGKILL)


def first_of_each(records: Iterable[Any]) -> list[Any]:
    """Records without those that repeat one that came before; one that was written down has lost its line end."""
    found: dict[bytes, Any] = {}
    for record in records:
        found.setdefault(record.value().rstrip(), record)
    return list(found.values())
