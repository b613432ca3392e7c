"""Events by HTTP: what passes the door passes the worker, and how many come in within a window."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import RecordRejected
from schemas.topics import topics_by_name
from streams.core import ingest
from streams.core.ingest import WindowPolicy, Windows, to_record, undecided

TEXT = st.text(max_size=20)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.lists(TEXT, max_size=2))
FIELDS = (
    "timestamp",
    "hostname",
    "message",
    "source",
    "syslog_severity",
    "trap_oid",
    "varbinds",
    "correlation_id",
    "x",
)


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.booleans())
def test_what_passes_is_no_dead_letter_of_the_workers_decoder(fields: dict[str, object], whole: bool) -> None:
    event = {"timestamp": "2026-03-01T12:00:00Z", "hostname": "h", "message": "m"} | fields if whole else fields
    value = json.dumps(event).encode()
    try:
        record = to_record(value)
    except RecordRejected:
        return
    decoded = codec.decode(record.value, topics_by_name()[record.topic], record.key)
    assert (record.value, record.key) == (value, decoded.event.hostname.encode())


def test_a_host_that_only_a_key_could_name_is_none() -> None:
    with pytest.raises(RecordRejected, match="missing_field"):
        to_record(b'{"timestamp":"2026-03-01T12:00:00Z","hostname":"-","message":"m"}')


def test_windows_are_of_one_key_and_begin_with_its_first_event() -> None:
    windows, policy = Windows(), WindowPolicy(10, 60.0)
    assert windows.take("a", 8, 100.0, policy) == 0.0
    assert windows.take("a", 3, 110.0, policy) == 50.0
    assert windows.take("a", 2, 110.0, policy) == 0.0
    assert windows.take("b", 10, 110.0, policy) == 0.0
    assert windows.take("a", 1, 159.0, policy) == 1.0
    assert windows.take("a", 10, 160.0, policy) == 0.0
    assert windows.take("c", 11, 160.0, policy) == 60.0


def test_windows_forget_keys_that_are_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "MOST_KEYS", 3)
    windows, policy = Windows(), WindowPolicy(1, 60.0)
    for number in range(4):
        assert windows.take(f"k{number}", 1, number * 30.0, policy) == 0.0
    assert sorted(windows._begun) == ["k2", "k3"]
    assert windows.take("k3", 1, 91.0, policy) > 0.0


def test_what_is_undecided_lies_between_progress_and_the_end() -> None:
    ends = {("t", 0): 10, ("t", 1): 5, ("t", 2): 3}
    assert undecided(ends, {("t", 0): 4, ("t", 1): 7}) == 6 + 0 + 3
