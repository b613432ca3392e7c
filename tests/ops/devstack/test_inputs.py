"""What becomes of the lines of a file that is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.devstack.inputs import OutRecord, Target, records_from, records_of
from schemas.codec import decode
from schemas.errors import Refused
from schemas.topics import SNMP

DATA = Path(__file__).parents[4] / "shared" / "data"
EVENT = {"timestamp": "2026-03-01T12:00:00Z", "hostname": "h1", "message": "m"}


def sent(*lines: bytes, target: Target | None = None) -> list[OutRecord]:
    return list(records_of(lines, target))


def as_line(row: object) -> bytes:
    return json.dumps(row).encode() + b"\n"


def test_a_plain_line_is_a_raw_record() -> None:
    assert sent(b"<34>Oct 11 22:14:15 h su: x\r\n", b"caf\xe9") == [
        OutRecord("mutt.ingest.raw", None, b"<34>Oct 11 22:14:15 h su: x"),
        OutRecord("mutt.ingest.raw", None, b"caf\xe9"),
    ]


def test_a_row_with_raw_is_that_line_and_its_host_the_key() -> None:
    row = {"id": "1", "raw": "<6> é\n  cont", "host": "h", "label": "x"}
    assert sent(as_line(row), as_line({"raw": "x", "host": ""})) == [
        OutRecord("mutt.ingest.raw", b"h", "<6> é\n  cont".encode()),
        OutRecord("mutt.ingest.raw", None, b"x"),
    ]


def test_an_event_goes_to_syslog_byte_for_byte_a_trap_to_snmp() -> None:
    line = b'{"hostname": "h1",  "message":"m","timestamp":"t"}'
    (event, trap) = sent(line, as_line({"event": EVENT | {"trap_oid": "1.3.6"}, "name": "coldStart"}))
    assert event == OutRecord("mutt.ingest.syslog", b"h1", line)
    assert (trap.topic, trap.key) == ("mutt.ingest.snmp", b"h1")
    assert json.loads(trap.value) == EVENT | {"trap_oid": "1.3.6"}


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b'{"a":1}',
        b"[1]",
        b'{"event":1}',
        b'{"raw":1}',
        b'{"hostname":"h"}',
        b'{"event":{"message":"m"}}',
        b"null",
    ],
)
def test_any_other_line_is_sent_as_it_stands(line: bytes) -> None:
    assert sent(line) == [OutRecord("mutt.ingest.raw", None, line)]


@pytest.mark.parametrize("target", list(Target))
def test_with_a_target_lines_go_there_unread(target: Target) -> None:
    lines = [b'{"raw":"x"}', b"plain", as_line(EVENT).rstrip()]
    assert sent(*lines, target=target) == [OutRecord(f"mutt.ingest.{target}", None, line) for line in lines]


def test_empty_lines_are_left_out() -> None:
    assert sent(b"", b"\n", b"\r\n", b"a") == [OutRecord("mutt.ingest.raw", None, b"a")]


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_line_is_lost_or_refused(lines: list[bytes]) -> None:
    assert len(sent(*lines)) == sum(1 for line in lines if line.rstrip(b"\r\n"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        list(records_from(tmp_path / "none"))


@pytest.mark.corpus
def test_the_real_lines_and_traps() -> None:
    lines = list(records_from(DATA / "syslog_lines.jsonl"))
    assert {record.topic for record in lines} == {"mutt.ingest.raw"}
    rows = [json.loads(line) for line in (DATA / "syslog_lines.jsonl").read_bytes().splitlines()]
    assert [record.value for record in lines] == [row["raw"].encode() for row in rows]
    traps = list(records_from(DATA / "traps.jsonl"))
    assert {record.topic for record in traps} == {"mutt.ingest.snmp"}
    assert len(traps) == 60
    assert all(decode(record.value, SNMP).event.hostname for record in traps)
