"""Raw lines into events: every S row of bad input, and what devices write."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import Decoded, EventFormat, Flag
from schemas.syslog import LINE_LIMIT, parse_line, parse_structured_data

UNTIMED = (Flag.NO_EVENT_TIME,)


def reason(line: bytes | None) -> Reason:
    with pytest.raises(RecordRejected) as caught:
        parse_line(line)
    return caught.value.reason


def is_kept_whole(decoded: Decoded, line: str) -> bool:
    return decoded.format is EventFormat.OTHER and decoded.event.message == line


def test_S1_all_fields_of_rfc_5424() -> None:
    decoded = parse_line(
        b"<165>1 2003-10-11T22:14:15.003Z example.com evntslog 8710 ID47 "
        b'[ex@32473 iut="3" x="a\\]\\"\\\\b\\n"][b] caf\xc3\xa9'
    )
    event = decoded.event
    assert decoded.format is EventFormat.RFC5424
    assert decoded.flags == ()
    assert decoded.event_time == dt.datetime(2003, 10, 11, 22, 14, 15, 3000, tzinfo=dt.UTC)
    assert (event.timestamp, event.hostname, event.message) == ("2003-10-11T22:14:15.003Z", "example.com", "café")
    assert (event.facility, event.syslog_severity) == (20, 5)
    assert (event.program, event.procid, event.msgid) == ("evntslog", "8710", "ID47")
    assert event.structured_data == {"ex@32473": {"iut": "3", "x": 'a]"\\b\\n'}, "b": {}}


def test_S1_dashes_are_absent() -> None:
    decoded = parse_line(b"<0>999 - - - - - -", key=b"k")
    event = decoded.event
    assert (decoded.format, decoded.flags, event.message) == (EventFormat.RFC5424, UNTIMED, "")
    assert (event.timestamp, event.hostname, event.program) == (None, "k", None)
    assert (event.procid, event.msgid, event.structured_data) == (None, None, None)
    assert (event.facility, event.syslog_severity) == (0, 0)


def test_S1_a_parameter_twice_is_listed() -> None:
    event = parse_line(b'<1>1 - h - - - [a ip="1" x="y" ip="2" ip="3"] m').event
    assert event.structured_data == {"a": {"ip": ["1", "2", "3"], "x": "y"}}
    assert parse_structured_data('[a b="" b=""]') == {"a": {"b": ["", ""]}}


def test_S1_many_parameters_are_read_in_time() -> None:
    start = time.process_time()
    params = ' b="c"' * 150_000
    assert len((parse_structured_data(f"[a{params}]") or {})["a"]["b"]) == 150_000
    assert time.process_time() - start < 1.0


def test_S1_a_byte_order_mark_before_the_message_is_dropped_once() -> None:
    assert parse_line("<1>1 - h - - - - \ufeff\ufeffm".encode()).event.message == "\ufeffm"


def test_S1_an_instant_beyond_the_calendar_is_still_rfc_5424() -> None:
    decoded = parse_line(b"<1>1 0001-01-01T00:00:00+14:00 h - - - - m")
    assert (decoded.format, decoded.event_time, decoded.flags) == (EventFormat.RFC5424, None, UNTIMED)


@pytest.mark.parametrize(
    "line",
    [
        '<165>1 2003-10-11T22:14:15Z h a - - [x a="1"][x b="2"] m',
        "<192>1 2003-10-11T22:14:15Z h a - - - m",
        "<165>1 2003-10-11t22:14:15Z h a - - - m",
        "<165>1 2003-10-11T22:14:15z h a - - - m",
        "<165>1 2003-10-11T22:14:15.1234567Z h a - - - m",
        "<165>1 2003-02-30T22:14:15Z h a - - - m",
        f"<165>1 2003-10-11T22:14:15Z h {'a' * 49} - - - m",
        f"<165>1 2003-10-11T22:14:15Z {'h' * 256} a - - - m",
    ],
)
def test_S1b_nearly_rfc_5424_is_kept_whole(line: str) -> None:
    assert is_kept_whole(parse_line(line.encode()), line)


def test_S1b_the_pri_of_a_line_kept_whole_still_counts() -> None:
    event = parse_line(b"<165>1 2003-10-11t22:14:15Z h a - - - m").event
    assert (event.facility, event.syslog_severity, event.hostname) == (20, 5, "unknown")


@pytest.mark.parametrize(
    ("line", "timestamp", "host", "program", "procid", "message"),
    [
        ("<34>Oct 11 22:14:15 h su: x", "Oct 11 22:14:15", "h", "su", None, "x"),
        ("<34>Oct  1 22:14:15 h su[7]: x: y", "Oct  1 22:14:15", "h", "su", "7", "x: y"),
        ("<34>Oct  1 2025 22:14:15 h su: x", "Oct  1 2025 22:14:15", "h", "su", None, "x"),
        ("<34>Oct  1 22:14:15 2025 h su: x", "Oct  1 22:14:15 2025", "h", "su", None, "x"),
        ("<34>2025 Oct  1 22:14:15 h %ETH-5-UP: x", "2025 Oct  1 22:14:15", "h", None, None, "%ETH-5-UP: x"),
        ("<34>Oct 11 22:14:15 tag[1]: x", "Oct 11 22:14:15", "key", "tag", "1", "x"),
        ("<34>Oct 11 22:14:15 su: x", "Oct 11 22:14:15", "key", "su", None, "x"),
        ("<34>Oct 11 22:14:15 h no tag here", "Oct 11 22:14:15", "h", None, None, "no tag here"),
        ("<34>Oct 11 22:14:15 h", "Oct 11 22:14:15", "h", None, None, ""),
        ("<34>Oct 11 22:14:15 fe80::1 su: x", "Oct 11 22:14:15", "fe80::1", "su", None, "x"),
        ("<34>Oct 11 22:14:15 10.0.0.1: %A-3-B: x", "Oct 11 22:14:15", "10.0.0.1", None, None, "%A-3-B: x"),
        (
            "<34>Oct 11 22:14:15 Message forwarded from aix1: su: x",
            "Oct 11 22:14:15",
            "aix1",
            "su",
            None,
            "x",
        ),
        ("<189>45: *Mar  1 18:46:11: %SYS-5-CONFIG_I: x", "Mar  1 18:46:11", "key", None, None, "%SYS-5-CONFIG_I: x"),
        ("<189>45: r1: Mar  1 18:46:11: %SYS-5-C: x", "Mar  1 18:46:11", "r1", None, None, "%SYS-5-C: x"),
        ("<34>2025-10-11T22:14:15+02:00 h su: x", "2025-10-11T22:14:15+02:00", "h", "su", None, "x"),
        ("<34>Oct 11 22:14:15 last message repeated 3 times", "Oct 11 22:14:15", "key", None, None, None),
    ],
)
def test_S2_rfc_3164_as_devices_write_it(
    line: str, timestamp: str, host: str, program: str | None, procid: str | None, message: str | None
) -> None:
    decoded = parse_line(line.encode(), key=b"key")
    event = decoded.event
    assert decoded.format is EventFormat.RFC3164
    assert (event.timestamp, event.hostname, event.program, event.procid) == (timestamp, host, program, procid)
    assert message is None or event.message == message


def test_S2_a_time_without_zone_is_no_instant() -> None:
    received = dt.datetime(2026, 1, 1, 0, 30, tzinfo=dt.UTC)
    decoded = parse_line(b"<34>Oct 11 22:14:15 h su: x", received=received)
    assert (decoded.event_time, decoded.flags) == (None, UNTIMED)


def test_S2_a_time_with_a_zone_takes_the_year_that_brings_it_nearest() -> None:
    received = dt.datetime(2026, 1, 1, 0, 30, tzinfo=dt.UTC)
    line = b"<189>45: Dec 31 23:59:59.5 UTC: %SYS-5-CONFIG_I: x"
    assert parse_line(line, received=received).event_time == dt.datetime(2025, 12, 31, 23, 59, 59, 500_000, dt.UTC)
    assert parse_line(line).event_time is None
    dated = parse_line(b"<189>45: Dec 31 2024 23:59:59 UTC: %SYS-5-CONFIG_I: x", received=received)
    assert dated.event_time == dt.datetime(2024, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    offset = parse_line(b"<34>2025-10-11 22:14:15,250 +0200 h su: x")
    assert offset.event_time == dt.datetime(2025, 10, 11, 20, 14, 15, 250_000, tzinfo=dt.UTC)


def test_S2_a_named_zone_that_may_mean_several_is_no_instant() -> None:
    decoded = parse_line(b"<189>45: Dec 31 2024 23:59:59 IST: %SYS-5-CONFIG_I: x")
    assert (decoded.format, decoded.event_time) == (EventFormat.RFC3164, None)


def test_S3_no_pri_is_no_severity() -> None:
    decoded = parse_line(b"Oct 11 22:14:15 h su: x")
    assert decoded.format is EventFormat.RFC3164
    assert (decoded.event.facility, decoded.event.syslog_severity) == (None, None)


@pytest.mark.parametrize("pri", ["<>", "<999>", "<0191>", "<-1>", "<1", "<34><34>", "<192>", "<\u0661>"])
def test_S3_a_pri_that_is_none(pri: str) -> None:
    line = f"{pri}Oct 11 22:14:15 h su: x"
    decoded = parse_line(line.encode(), key=b"sw1")
    assert is_kept_whole(decoded, line)
    assert (decoded.event.syslog_severity, decoded.event.hostname) == (None, "sw1")


def test_S3_no_host_is_the_keys_or_unknown() -> None:
    assert parse_line(b"<34>Oct 11 22:14:15 %A-3-B: x", key=b"sw1").event.hostname == "sw1"
    assert parse_line(b"<34>Oct 11 22:14:15 %A-3-B: x", key=b"\xff").event.hostname == "unknown"
    assert parse_line(b"<34>1 - h - - - -", key=b"sw1").event.hostname == "h"


@pytest.mark.parametrize("front", [b"", b"29 ", b" ", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\0", b"\n\0", b"\0\n", b"\r\n\0"])
def test_S4_what_transports_add_is_stripped(front: bytes, end: bytes) -> None:
    decoded = parse_line(front + b"<34>Oct 11 22:14:15 h su: x" + end)
    assert decoded.format is EventFormat.RFC3164
    assert (decoded.event.hostname, decoded.event.message, decoded.flags) == ("h", "x", UNTIMED)


def test_S4_only_once() -> None:
    assert parse_line(b"<34>Oct 11 22:14:15 h su: x\0\0").event.message == "x\0"
    assert parse_line(b"<34>Oct 11 22:14:15 h su: x\n\n").event.message == "x\n"


def test_S5_long_lines() -> None:
    assert parse_line(b"x" * LINE_LIMIT).flags == (Flag.NO_EVENT_TIME, Flag.MESSAGE_CUT)
    assert parse_line(b"x" * 65_536).flags == UNTIMED
    assert reason(b"x" * (LINE_LIMIT + 1)) is Reason.TOO_LARGE


@pytest.mark.parametrize("line", [b"", b" ", b"\r\n", b"\t \n", b"\xef\xbb\xbf"])
def test_S5_K1_empty(line: bytes) -> None:
    assert reason(line) is Reason.EMPTY


def test_S5_K2_tombstone() -> None:
    assert reason(None) is Reason.TOMBSTONE


@pytest.mark.parametrize("line", [b"\0\0\0", b"\0", b"<34>", b"<34> \r\n", b"<34>\0", b"\x1b\x07", b"5 <34>"])
def test_S5_nothing_to_keep(line: bytes) -> None:
    assert reason(line) is Reason.LINE


@pytest.mark.parametrize("message", [b"caf\xe9", b"\xe2\x82", "x".encode("utf-16")])
def test_S6_what_is_not_utf8_is_latin_1(message: bytes) -> None:
    decoded = parse_line(b"<34>Oct 11 22:14:15 h su: " + message + b" ")
    assert decoded.event.message == message.decode("latin-1") + " "
    assert Flag.LATIN1 in decoded.flags


def test_S6_nul_inside_a_line_is_flagged() -> None:
    assert parse_line(b"<34>Oct 11 22:14:15 h su: a\0b").flags == (Flag.NO_EVENT_TIME, Flag.NUL_SHOWN)


def test_S7_json_on_the_raw_topic_is_a_message() -> None:
    line = '{"timestamp":"2026-03-01T12:00:00Z","hostname":"h1","message":"m"}'
    assert is_kept_whole(parse_line(line.encode()), line)


@pytest.mark.parametrize("text", ["", "-", "[]", "[a", "[a]x", '[a b="c"', '[a b="]"]', "[a][a]", "[a b=c]"])
def test_structured_data_that_is_none(text: str) -> None:
    assert parse_structured_data(text) is None


HEADS = ("<34>", "<", ">", "1 ", "Oct 11 ", "2025 ", "22:14:15", " h ", "su[", "1]", ": ", "2025-10-11T", "12 ", "- ")
TAILS = ("[a", ' b="', '"', "]", "\\", "2025-02-30T22:14:15Z ", "Z ", "UTC", "+0200 ", "\0", "\n", "é", "%", "\ufeff")
PIECES = st.lists(st.sampled_from(HEADS + TAILS), max_size=14).map(lambda pieces: "".join(pieces).encode())


@settings(max_examples=800)
@given(PIECES | st.binary(max_size=60))
def test_no_line_is_lost(line: bytes) -> None:
    received = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    try:
        decoded = parse_line(line, received=received)
    except RecordRejected as rejected:
        assert rejected.reason in (Reason.EMPTY, Reason.LINE)  # noqa: PT017
        return
    assert 1 <= len(decoded.event.hostname) <= 255
    assert (decoded.event_time is None) == (Flag.NO_EVENT_TIME in decoded.flags)
    if decoded.format is EventFormat.OTHER:
        assert line.startswith(decoded.event.message.encode("latin-1" if Flag.LATIN1 in decoded.flags else "utf-8"))
