"""Records into events: what a well-formed event becomes, and every K row of bad input that is about decoding."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.codec import VALUE_LIMIT, decode, decode_alert, encode, named_host, visible
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import MESSAGE_LIMIT, Decoded, EventFormat, Flag
from schemas.rules import AlertSeverity
from schemas.topics import RAW, SNMP, SYSLOG
from tests.builders import event_json

E = b'{"timestamp":"2026-03-01T12:00:00Z","hostname":"h1","message":"m"}'
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
OID = "1.3.6.1.2.1.2.2.1.1.1"


def read(value: bytes | None, key: bytes | None = b"h1") -> Decoded:
    return decode(value, SYSLOG, key)


def rejected(value: bytes | None, key: bytes | None = b"h1") -> RecordRejected:
    with pytest.raises(RecordRejected) as caught:
        decode(value, SYSLOG, key)
    return caught.value


def reason(value: bytes | None, key: bytes | None = b"h1") -> Reason:
    return rejected(value, key).reason


def with_member(member: str | bytes) -> bytes:
    """E with one more member, as JSON text."""
    return E[:-1] + b"," + (member.encode() if isinstance(member, str) else member) + b"}"


def varbind(value: str) -> bytes:
    return with_member(f'"varbinds":{{"{OID}":{value}}}')


def test_a_plain_event_has_its_instant_and_the_topics_source() -> None:
    decoded = read(E)
    assert (decoded.event.hostname, decoded.event.message, decoded.event.source) == ("h1", "m", "syslog")
    assert decoded.event_time == NOON
    assert decoded.flags == ()
    assert decoded.format is EventFormat.JSON
    assert decode(E, SNMP).event.source == "snmp"
    assert read(event_json(source="app")).event.source == "app"


def test_every_field_is_read() -> None:
    fields: dict[str, Any] = {
        "syslog_severity": 3,
        "facility": 23,
        "program": "sshd",
        "procid": "12",
        "msgid": "ID1",
        "structured_data": {"id@1": {"a": "b"}},
        "varbinds": {OID: 7},
        "correlation_id": "c-1",
    }
    event = read(event_json(**fields)).event
    assert {name: getattr(event, name) for name in fields} == fields


def test_an_offset_is_turned_into_utc() -> None:
    assert read(event_json(timestamp="2026-03-01T14:00:00.5+02:00")).event_time == NOON.replace(microsecond=500_000)


def test_the_leading_dot_of_a_trap_oid_is_dropped() -> None:
    assert read(event_json(trap_oid=".1.3.6.1")).event.trap_oid == "1.3.6.1"


@pytest.mark.parametrize("oid", ["", ".", "1", "1..3", "1.3.", "1.3.x", "1.03", "1.4294967296", "1.3" + ".1" * 127])
def test_a_trap_oid_that_is_none_is_refused(oid: str) -> None:
    assert rejected(event_json(trap_oid=oid)).detail.startswith("/trap_oid: ")


def test_a_dash_in_the_fields_of_rfc_5424_means_absent() -> None:
    event = read(event_json(program="-", procid="-", msgid="-", structured_data="-")).event
    assert (event.program, event.procid, event.msgid, event.structured_data) == (None,) * 4


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "é", "a\n"])
def test_a_correlation_id_is_1_to_64_visible_characters(given: str) -> None:
    assert reason(event_json(correlation_id=given)) is Reason.FIELD
    assert read(event_json(correlation_id="~" * 64)).event.correlation_id == "~" * 64


def test_visible_shows_nul() -> None:
    assert visible("a\0b") == "a\u2400b"
    assert visible("plain") == "plain"


@pytest.mark.parametrize("value", [b"", b" \t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_K1_nothing_is_empty(value: bytes) -> None:
    assert reason(value) is Reason.EMPTY


def test_K2_a_null_value_is_a_tombstone() -> None:
    assert reason(None) is Reason.TOMBSTONE


@pytest.mark.parametrize(
    "value",
    [b"hello", E[:-10], E + b" x", E + E, b"01", b"1.", b"+1", b"tru", b'"\\q"', b'"a\nb"', b"'a'", b"[1,]", b"/**/"]
    + [with_member(f'"x":{bad}') for bad in ("01", "1.", "+1", "tru", '"\\q"', '"a\nb"', "'a'", "[1,]", "/**/1")],
)
def test_K3_what_is_not_json(value: bytes) -> None:
    assert reason(value) is Reason.JSON


@pytest.mark.parametrize("value", [b"null", b"1", b'"x"', b"[]", b" [] ", b"1e400"])
def test_K4_json_that_is_no_object(value: bytes) -> None:
    assert reason(value) is Reason.NOT_OBJECT


def test_K4_garbage_that_begins_like_a_list() -> None:
    assert reason(b"[garbage") is Reason.JSON
    assert reason(b'{"hostname":1, garbage') is Reason.JSON


@pytest.mark.parametrize("word", ["NaN", "-Infinity", "Infinity"])
def test_K5_numbers_that_json_does_not_have(word: str) -> None:
    assert reason(with_member(f'"x":{word}')) is Reason.JSON
    assert reason(with_member(f'"facility":{word}')) is Reason.JSON


@pytest.mark.parametrize("number", ["1e400", "1e200000", "-1e400"])
def test_K6_numbers_beyond_a_double(number: str) -> None:
    assert reason(with_member(f'"facility":{number}')) is Reason.FIELD
    assert rejected(varbind(number)).detail.startswith(f"/varbinds/{OID}: ")
    assert reason(varbind(number)) is Reason.FIELD
    assert read(with_member(f'"x":{number}')).event.message == "m"


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 400, str(2**64), str(-(2**63) - 1)])
def test_K7_integers_beyond_64_bits(number: str) -> None:
    assert reason(varbind(number)) is Reason.FIELD
    assert reason(with_member(f'"structured_data":{{"a":{{"b":[{number}]}}}}')) is Reason.FIELD
    assert read(with_member(f'"x":{number}')).event.message == "m"


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63)])
def test_K7_integers_of_64_bits_are_exact(number: int) -> None:
    assert read(varbind(str(number))).event.varbinds == {OID: number}


@pytest.mark.parametrize(
    "member",
    [
        '"hostname":"h2"',
        '"hostname":"h1"',
        '"host\\u006eame":"h2"',
        '"hostname" :"h2"',
        '"x":"a\\"b","message"\n:"m2"',
        '"facility":1,"facility":1',
        '"facility":null,"facility":1',
        f'"varbinds":{{"{OID}":1,"{OID}":1}}',
        f'"varbinds":{{"{OID}":1}},"varbinds":{{}}',
        f'"varbinds":{{"{OID}":"a","{OID[:-1]}\\u0031":"b"}}',
        '"structured_data":{"a":{"b":"1","b":"2"}}',
        '"structured_data":{"a":{},"a":{}}',
    ],
)
def test_K8_a_read_name_twice(member: str) -> None:
    assert reason(with_member(member)) is Reason.DUPLICATE_KEY


def test_K8_the_detail_points_at_the_name() -> None:
    assert rejected(with_member('"hostname":"h2"')).detail == "/hostname stands there twice"
    twice = with_member('"structured_data":{"a/b":{"c":"1","c":"2"}}')
    assert rejected(twice).detail == "/structured_data/a~1b/c stands there twice"


@pytest.mark.parametrize(
    "member",
    [
        '"x":1,"x":2',
        '"x":{"hostname":"a","hostname":"b"}',
        '"x":["hostname","hostname"]',
        '"x":"\\"hostname\\":\\"hostname\\":"',
        f'"x":1,"x":1,"varbinds":{{"{OID}":null}}',
        '"structured_data":{"a":{"c":"1"},"b":{"c":"2"}}',
    ],
)
def test_K8_unread_names_twice_are_nobodys_business(member: str) -> None:
    assert read(with_member(member)).event.hostname == "h1"


@pytest.mark.parametrize("levels", [64, 999, 99_999])
@pytest.mark.parametrize("closed", [True, False])
def test_K9_nested_too_deep(levels: int, closed: bool) -> None:
    nest = "[" * levels + "]" * levels * closed
    assert reason(E[:-1] + b',"x":' + nest.encode() + b"}" * closed) is Reason.DEPTH


def test_K9_64_levels_are_stored() -> None:
    assert read(with_member('"x":' + "[" * 63 + "]" * 63)).event.message == "m"
    assert read(with_member('"x":"' + "[{" * 5000 + '\\"[\\\\"')).event.message == "m"
    assert read(with_member('"x":[' + "[]," * 5000 + "[]]")).event.message == "m"


@pytest.mark.parametrize("field", ["message", "hostname", "program"])
def test_K10_nul_is_stored_and_flagged(field: str) -> None:
    decoded = read(event_json(**{field: "a\0b"}))
    assert getattr(decoded.event, field) == "a\0b"
    assert decoded.flags == (Flag.NUL_SHOWN,)


def test_K10_nul_in_a_varbind_and_in_an_unread_key() -> None:
    assert read(varbind('"\\u0000"')).flags == (Flag.NUL_SHOWN,)
    assert read(with_member('"a\\u0000":1')).flags == ()
    assert read(event_json(message="\\u0000")).flags == ()


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00", "\\ud800\\u0041"])
def test_K11_lone_surrogates(text: str) -> None:
    assert reason(E.replace(b'"m"', f'"{text}"'.encode())) is Reason.JSON
    assert reason(with_member(f'"x":"{text} "')) is Reason.JSON
    assert reason(with_member(f'"{text} ":1')) is Reason.JSON


@pytest.mark.parametrize("bad", [b"\xed\xa0\x80", b"caf\xe9", b"\xc0\xaf"])
def test_K11_K12_bytes_that_are_not_utf8(bad: bytes) -> None:
    assert reason(E.replace(b'"m"', b'"' + bad + b'"')) is Reason.ENCODING
    assert reason(with_member(b'"x":"' + bad + b'"')) is Reason.ENCODING


def test_K12_utf16_and_byte_order_marks() -> None:
    assert reason(E.decode().encode("utf-16")) is Reason.ENCODING
    assert reason(E.decode().encode("utf-16-le")) is Reason.JSON
    assert reason(b"\xef\xbb\xbf" * 2 + E) is Reason.JSON
    assert read(b"\xef\xbb\xbf" + E).event_time == NOON


@pytest.mark.parametrize(("size", "flags"), [(0, ()), (1, ()), (65_536, ()), (65_537, (Flag.MESSAGE_CUT,))])
def test_K13_messages_of_any_length_are_kept_whole(size: int, flags: tuple[Flag, ...]) -> None:
    decoded = read(event_json(message="é" * size))
    assert len(decoded.event.message) == size
    assert decoded.flags == flags
    assert MESSAGE_LIMIT == 65_536


def test_K13_a_value_over_1_mib() -> None:
    fits = event_json(message="x" * (VALUE_LIMIT - len(event_json(message=""))))
    assert len(fits) == VALUE_LIMIT
    assert read(fits).flags == (Flag.MESSAGE_CUT,)
    assert reason(fits + b" ") is Reason.TOO_LARGE


def test_K16_many_and_long_unread_keys() -> None:
    assert read(event_json(**{f"k{i}": i for i in range(10_000)})).event.message == "m"
    assert read(event_json(**{"k" * 100_000: 1})).event.message == "m"
    assert reason(event_json(hostname="h" * 1_000_000)) is Reason.FIELD


@pytest.mark.parametrize(
    ("field", "text"),
    [("syslog_severity", text) for text in ("-1", "8", '"3"', "true", "3.0", "3e0", "[]", "{}")]
    + [("facility", "24"), ("procid", "12"), ("message", "5"), ("message", "[]"), ("program", "{}"), ("source", '""')],
)
def test_K17_no_coercion(field: str, text: str) -> None:
    body = {"timestamp": '"2026-03-01T12:00:00Z"', "hostname": '"h1"', "message": '"m"'} | {field: text}
    found = rejected(("{" + ",".join(f'"{name}":{value}' for name, value in body.items()) + "}").encode())
    assert found.reason is Reason.FIELD
    assert found.detail.startswith(f"/{field}: must be ")


def test_K17_null_is_absent_and_minus_zero_is_zero() -> None:
    assert read(event_json(facility=None, varbinds=None, correlation_id=None)).event.facility is None
    assert read(with_member('"facility":-0')).event.facility == 0


@pytest.mark.parametrize("field", ["timestamp", "hostname", "message"])
def test_K18_a_required_field(field: str) -> None:
    assert rejected(event_json(**{field: None})).reason is Reason.MISSING_FIELD
    body = {name: value for name, value in json.loads(E).items() if name != field}
    assert rejected(json.dumps(body).encode()).detail == f"/{field} is absent or null"


@pytest.mark.parametrize("given", [True, {}, []])
def test_K18_a_timestamp_that_is_no_text(given: object) -> None:
    assert reason(event_json(timestamp=given)) is Reason.FIELD


@pytest.mark.parametrize(
    "given",
    [
        "0000-01-01T00:00:00Z",
        "294277-01-01T00:00:00Z",
        "2026-03-01T12:00:60Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01T12:00:00+99:99",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00",
        "2026-02-30T12:00:00Z",
        *("now", "", "-", "1772366400", 1772366400, 1.5, -1),
    ],
)
def test_K18b_a_time_that_cannot_be_read_keeps_the_event(given: str | float) -> None:
    decoded = read(event_json(timestamp=given))
    assert decoded.event.timestamp == str(given)
    assert decoded.event_time is None
    assert decoded.flags == (Flag.NO_EVENT_TIME,)


def test_K18b_a_numeric_timestamp_hides_no_second_name() -> None:
    value = b'{"timestamp":1.5,"hostname":"h1","message":"m","facility":1,"facility":2}'
    assert reason(value) is Reason.DUPLICATE_KEY


@pytest.mark.parametrize("hostname", ["", " ", "\u3000", "\xa0", "\x85\u2028", "\t\n", "h" * 256])
def test_K19_a_hostname_out_of_bounds(hostname: str) -> None:
    assert reason(event_json(hostname=hostname)) is Reason.FIELD


@pytest.mark.parametrize("hostname", ["../../etc", "fe80::1%eth0", "ä" * 255])
def test_K19_odd_hostnames_are_stored(hostname: str) -> None:
    assert read(event_json(hostname=hostname)).event.hostname == hostname


def test_K19_a_dash_is_the_keys_host() -> None:
    assert read(event_json(hostname="-"), b"sw1").event.hostname == "sw1"
    for key in (None, b"", b"-", b"\xff", b"x" * 256, b"a\nb"):
        assert reason(event_json(hostname="-"), key) is Reason.MISSING_FIELD


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"2026-03-01T12:00:00Z\x80"])
def test_K11_a_timestamp_that_is_not_utf8_is_refused_like_any_text(bad: bytes) -> None:
    """Nothing else: what is no refusal counts as a defect of mutt, and twenty in a row halt a partition."""
    assert reason(b'{"timestamp":"%s","hostname":"h1","message":"m"}' % bad) is Reason.ENCODING


def test_K26_K30_control_words_of_others_are_plain_fields() -> None:
    extra = {"__faust": {"ns": "x"}, "__proto__": {}, "$ref": "#", "@type": "x", "_retry_count": 9, "replay_of": "x"}
    assert read(event_json(**extra)).event == read(E).event


def test_K27_our_own_alert_is_no_event() -> None:
    assert reason(encode(ALERT)) is Reason.MISSING_FIELD


def test_K31_varbinds() -> None:
    thousand: dict[str, Any] = {f"1.3.{i}": i for i in range(1_000)}
    assert len(read(event_json(varbinds=thousand)).event.varbinds or ()) == 1_000
    assert reason(event_json(varbinds=thousand | {"1.3.1000": 1})) is Reason.TOO_LARGE
    assert read(event_json(varbinds={"1.3": None, "1.4": True, ".1.5": 1.5})).event.varbinds == {
        "1.3": None,
        "1.4": True,
        ".1.5": 1.5,
    }
    faults: list[Any] = [{"1.3": {}}, {"1.3": []}, {"ifIndex": 1}, {"": 1}, [], "x"]
    for wrong in faults:
        assert reason(event_json(varbinds=wrong)) is Reason.FIELD


def test_K32_structured_data() -> None:
    assert reason(event_json(structured_data=5)) is Reason.FIELD
    assert reason(event_json(structured_data="[a")) is Reason.FIELD
    assert reason(event_json(structured_data='[a b="c"][a]')) is Reason.FIELD
    text = read(event_json(structured_data='[a@1 b="c\\"d"]')).event
    assert text.structured_data == {"a@1": {"b": 'c"d'}}
    assert read(event_json(structured_data="-")).event.structured_data is None
    assert read(event_json(structured_data={"a": {"b": "c"}})).event.structured_data == {"a": {"b": "c"}}


def test_K33_garbage_is_no_alert() -> None:
    for value in (None, b"", b"garbage", b"{}", E, b"\xff", b"[" * 100_000):
        with pytest.raises(RecordRejected) as caught:
            decode_alert(value)
        assert caught.value.reason is Reason.FOREIGN
    assert decode_alert(encode(ALERT)) == ALERT


def test_the_first_reason_in_order_is_given() -> None:
    assert reason(b"[" * 70 + b"garbage") is Reason.DEPTH
    assert reason(b'{"hostname":"a","hostname":"b"}') is Reason.DUPLICATE_KEY
    assert reason(b'{"hostname":5}') is Reason.MISSING_FIELD
    assert reason(b'{"hostname":"a","hostname":"b","x":"\xff"}') is Reason.ENCODING


def test_a_line_topic_is_read_as_lines() -> None:
    decoded = decode(b"<34>Oct 11 22:14:15 h su: x", RAW, b"k")
    assert (decoded.format, decoded.event.hostname, decoded.event.source) == (EventFormat.RFC3164, "h", "syslog")
    assert decode(b"no host here", RAW, b"k").event.hostname == "k"


ALERT = Alert(
    id=uuid.UUID(int=1),
    event_id="mutt.ingest.syslog:0:1",
    topic="mutt.ingest.syslog",
    partition=0,
    offset=1,
    hostname="h1",
    severity=AlertSeverity.MAJOR,
    description="d",
    signature="h1::1::x",
    team="netops",
    handling="Page_only",
    ruleset_version=1,
    correlation_id="c",
    occurred_at="2026-03-01T12:00:00Z",
    event={"message": "m"},
)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b'{"hostname": "h7", "message": 1}', "h7"),
        (b'\xef\xbb\xbf{"hostname": "h7"}', "h7"),
        (b'{"hostname": "-"}', None),
        (b'{"hostname": 7}', None),
        (b'{"hostname": "h7"', None),
        (b'{"hostname": "h7", "x": "' + b"x" * VALUE_LIMIT + b'"}', None),
        (b"", None),
        (None, None),
    ],
)
def test_the_host_that_a_rejected_record_names(value: bytes | None, host: str | None) -> None:
    assert named_host(value) == host
