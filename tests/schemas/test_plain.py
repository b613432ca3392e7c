"""Plain records together are what each of them is alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode
from schemas.events import MESSAGE_LIMIT
from schemas.plain import decode_plain
from schemas.topics import RAW, SNMP, SYSLOG
from tests.builders import event_json
from tests.schemas.test_codec_properties import Object, records, refused, written

TRAP = event_json(source="snmp", trap_oid="1.3.6.1.4.1.9.1", varbinds={"1.3.6.1": 7, "1.3.6.2": "up"}, facility=3)
PLAIN = [event_json(), event_json(message="<34>", correlation_id="a-1"), TRAP]


def test_plain_records_are_read_together() -> None:
    assert decode_plain(PLAIN, SYSLOG) == [decode(value, SYSLOG) for value in PLAIN]
    assert [one.event.source for one in decode_plain(PLAIN, SNMP) or ()] == ["snmp", "snmp", "snmp"]


def test_a_time_with_an_offset_is_read_in_utc() -> None:
    values = [event_json(timestamp="2026-03-01T13:00:00+01:00"), event_json()]
    first, second = decode_plain(values, SYSLOG) or ()
    assert first.event_time == second.event_time == decode(values[0], SYSLOG).event_time


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(event_json(message="é"), id="beyond ASCII"),
        pytest.param(event_json(message='a "quote"'), id="escapes"),
        pytest.param(event_json().replace(b", ", b",\n"), id="on several lines"),
        pytest.param(event_json(extra="unread"), id="unread names"),
        pytest.param(event_json(source=None), id="null"),
        pytest.param(event_json()[:-1] + b',"hostname":"h2"}', id="a name twice"),
        pytest.param(event_json(program="-"), id="a dash for absent"),
        pytest.param(event_json(hostname="-"), id="no host"),
        pytest.param(event_json(hostname=" "), id="a blank host"),
        pytest.param(event_json(trap_oid=".1.3.6"), id="a leading dot"),
        pytest.param(event_json(trap_oid="1.3..6"), id="no OID"),
        pytest.param(event_json(trap_oid=""), id="an empty OID"),
        pytest.param(event_json(correlation_id="a b"), id="a space in the correlation id"),
        pytest.param(event_json(correlation_id="a" * 65), id="a long correlation id"),
        pytest.param(event_json(correlation_id=""), id="an empty correlation id"),
        pytest.param(event_json(timestamp="yesterday"), id="no time"),
        pytest.param(event_json(timestamp="2026-03-01T12:00:00"), id="a time without zone"),
        pytest.param(event_json(timestamp="0001-01-01T00:00:00+01:00"), id="a time beyond the calendar"),
        pytest.param(event_json(message="m" * MESSAGE_LIMIT), id="a long record"),
        pytest.param(event_json(varbinds={"x": 1}), id="a varbind without OID"),
        pytest.param(event_json(structured_data={"a": 2**64}), id="a number beyond its bounds"),
        pytest.param(event_json(syslog_severity=8), id="a severity of 8"),
        pytest.param(event_json() + b"{}", id="two objects"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="no object"),
    ],
)  # fmt: skip
def test_one_that_wants_a_closer_look_makes_all_be_looked_at(value: bytes) -> None:
    assert decode_plain([*PLAIN, value], SYSLOG) is None


def test_lines_are_not_counted_by_their_sum() -> None:
    """One record without its end and one with two: as many lines as records, and yet not these."""
    whole = event_json()
    assert decode_plain([whole[:20], whole[20:] + b"\n" + whole], SYSLOG) is None


def test_raw_lines_are_no_json() -> None:
    assert decode_plain([event_json()], RAW) is None


@settings(max_examples=600)
@given(st.data(), st.lists(records(), min_size=1, max_size=3))
def test_what_is_read_together_is_what_each_is_alone(data: st.DataObject, made: list[Object]) -> None:
    values = [data.draw(written(record)).encode() for record in made]
    together = decode_plain(values, SYSLOG)
    if together is not None:
        assert not any(map(refused, values))
        assert together == [decode(value, SYSLOG) for value in values]
