"""Raw lines as real devices send them, and the RFC vectors, field by field."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import decode, encode
from schemas.events import Decoded, EventFormat
from schemas.syslog import parse_line
from schemas.syslog_times import utc
from schemas.topics import SNMP

DATA = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not DATA.is_dir(), reason="the samples are not beside this checkout"),
]


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def stated(expect: dict[str, Any], proto: str) -> dict[str, Any]:
    """What a vector says, in the event's words. A message's byte order mark is taken off both sides."""
    message = expect["msg"] or ""
    if "msg_base64" in expect:
        message = base64.b64decode(expect["msg_base64"]).decode("latin-1")
    return {
        "format": proto,
        "facility": expect["facility"],
        "syslog_severity": expect["severity"],
        "time": utc(expect["timestamp"]) if proto == "rfc5424" else expect["timestamp"],
        "hostname": expect["host"] or "unknown",
        "program": expect["app"],
        "procid": expect["procid"],
        "msgid": expect["msgid"],
        "structured_data": expect.get("sd"),
        "message": message.removeprefix("\ufeff"),
    }


def read(decoded: Decoded) -> dict[str, Any]:
    event = decoded.event
    names = ("facility", "syslog_severity", "hostname", "program", "procid", "msgid", "structured_data", "message")
    time = decoded.event_time if decoded.format is EventFormat.RFC5424 else event.timestamp
    return {name: getattr(event, name) for name in names} | {"format": decoded.format.value, "time": time}


def test_the_vectors_are_read_exactly() -> None:
    vectors = rows("syslog_vectors.jsonl")
    assert len(vectors) == 74
    for vector in vectors:
        raw = base64.b64decode(vector["input_base64"]) if "input_base64" in vector else vector["input"].encode()
        decoded = parse_line(raw)
        if vector["valid"]:
            assert read(decoded) == stated(vector["expect"], vector["proto"]), vector["id"]
        else:
            assert decoded.format is not EventFormat.RFC5424, vector["id"]


def test_every_real_line_is_an_event_that_agrees_with_what_is_known() -> None:
    lines = rows("syslog_lines.jsonl")
    events = [(row, parse_line(row["raw"].encode())) for row in lines]
    assert len(events) == 4_921
    assert all(decoded.event.message in row["raw"] for row, decoded in events)
    headed = [(row, decoded) for row, decoded in events if decoded.format is not EventFormat.OTHER]
    assert len(headed) >= 4_760
    hosts = [decoded.event.hostname == row["host"] for row, decoded in headed if "host" in row]
    assert sum(hosts) >= 4_640, f"{sum(hosts)} of {len(hosts)}"
    assert sum(hosts) / len(hosts) >= 0.98
    programs = [decoded.event.program == row["program"] for row, decoded in headed if "program" in row]
    assert len(programs) >= 4_370
    assert all(programs)


def test_every_stated_pri_is_read() -> None:
    for row in rows("syslog_lines.jsonl"):
        event = parse_line(row["raw"].encode()).event
        pri = None if event.facility is None else event.facility * 8 + (event.syslog_severity or 0)
        assert pri == row.get("pri"), row["id"]


def test_every_trap_is_an_event() -> None:
    traps = rows("traps.jsonl")
    assert len(traps) == 60
    for row in traps:
        decoded = decode(encode(row["event"]), SNMP)
        assert decoded.event.varbinds == row["event"]["varbinds"]
        assert decoded.event.trap_oid == row["event"]["trap_oid"].removeprefix(".")
        assert decoded.event_time is not None
