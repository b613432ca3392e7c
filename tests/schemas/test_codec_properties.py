"""The codec's quick checks against slow, exact ones, on records made up by hypothesis."""

from __future__ import annotations

import json
import string
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import Event
from schemas.json_checks import too_deep
from schemas.topics import SYSLOG

READ = Event.__struct_fields__
TEXT = st.text(st.sampled_from('ab"\\:{}[], é\n') | st.characters(codec="utf-8"), max_size=8)
SPACE = st.sampled_from(["", " ", "\n"])
OIDS = st.sampled_from(["1.3.1", "1.3.2", ".1.3.1"])
SCALARS = TEXT | st.none() | st.booleans() | st.integers(0, 9)
UNREAD_NAMES = st.sampled_from(["x", "y", "host", "hostnames", 'x"hostname', "meßage"])
Members = list[tuple[str, Any]]


class Object(list[tuple[str, Any]]):
    """A JSON object that may have a name twice."""


def objects(names: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    return st.lists(st.tuples(names, values), max_size=4).map(Object)


UNREAD = objects(UNREAD_NAMES | st.sampled_from(READ), SCALARS | st.lists(SCALARS, max_size=2))
READ_MEMBERS = {
    "timestamp": st.just("2026-03-01T12:00:00Z") | TEXT | st.integers(0, 9),
    "hostname": st.sampled_from(["h1", "h2"]),
    "message": TEXT,
    "source": st.just("app"),
    "syslog_severity": st.integers(0, 7) | st.none(),
    "program": TEXT,
    "varbinds": objects(OIDS, SCALARS),
    "structured_data": objects(st.sampled_from("ab"), objects(st.sampled_from("cd"), TEXT)) | st.just("-"),
}


@st.composite
def records(draw: st.DrawFn) -> Object:
    names = ["timestamp", "hostname", "message", *draw(st.lists(st.sampled_from(sorted(READ_MEMBERS)), max_size=3))]
    members: Members = [(name, draw(READ_MEMBERS[name])) for name in names]
    members += draw(st.lists(st.tuples(UNREAD_NAMES, SCALARS | UNREAD), max_size=3))
    return Object(draw(st.permutations(members)))


@st.composite
def written(draw: st.DrawFn, node: Any) -> str:
    """JSON text of a node, with white space and escapes that JSON allows but nobody needs."""
    if isinstance(node, Object):
        parts = [f"{draw(written(name))}{draw(SPACE)}:{draw(SPACE)}{draw(written(child))}" for name, child in node]
        return "{" + ",".join(parts) + draw(SPACE) + "}"
    if isinstance(node, str) and node and node[0] in string.ascii_letters and draw(st.integers(0, 9)) == 0:
        return json.dumps(node).replace(node[0], f"\\u{ord(node[0]):04x}", 1)
    return json.dumps(node, ensure_ascii=draw(st.booleans()))


def twice(members: Members, names: tuple[str, ...] | None = None) -> bool:
    """The oracle: whether a name that counts is there twice."""
    counted = [name for name, _ in members if names is None or name in names]
    return len(counted) != len(set(counted))


def oracle(members: Members) -> bool:
    if twice(members, READ):
        return True
    for name, node in members:
        if name in ("varbinds", "structured_data") and isinstance(node, Object):
            inner = [child for _, child in node if isinstance(child, Object)]
            if twice(node) or any(map(twice, inner)):
                return True
    return False


def refused(value: bytes) -> RecordRejected | None:
    try:
        decode(value, SYSLOG)
    except RecordRejected as rejected:
        return rejected
    return None


@settings(max_examples=600)
@given(st.data(), records())
def test_K8_duplicates_are_found_exactly(data: st.DataObject, record: Object) -> None:
    value = data.draw(written(record)).encode()
    found = refused(value)
    assert (found is not None and found.reason is Reason.DUPLICATE_KEY) == oracle(record)


def deepest(text: str) -> int:
    """The oracle: one character at a time."""
    depth = most = 0
    inside = escaped = False
    for char in text:
        if inside:
            inside = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            inside = True
        elif char in "[{":
            depth += 1
            most = max(most, depth)
        elif char in "]}":
            depth -= 1
    return most


NESTS = st.lists(
    st.sampled_from(['"', '"[[["', '"\\"["', '"\\\\"', '"\\\\\\""', "[" * 20, "]" * 20, "{", "}", "[", "]", ":", "é"]),
    max_size=40,
).map("".join)


@settings(max_examples=600)
@given(NESTS)
def test_K9_depth_is_counted_outside_strings(text: str) -> None:
    assert too_deep(text.encode()) == (deepest(text) > 64)


@settings(max_examples=400)
@given(st.binary(max_size=60) | NESTS.map(str.encode))
def test_no_value_raises_anything_else(value: bytes) -> None:
    for candidate in (value, b'{"timestamp":"","hostname":"h","message":' + value + b"}"):
        found = refused(candidate)
        assert found is None or found.detail


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(READ), SCALARS | st.floats() | st.just({}) | st.just([]), max_size=13))
def test_fields_of_any_type_are_an_event_or_have_a_reason_with_a_pointer(fields: dict[str, Any]) -> None:
    value = json.dumps({"timestamp": "x", "hostname": "h", "message": "m"} | fields).encode()
    found = refused(value)
    if found is not None and found.reason is Reason.FIELD:
        assert found.detail.startswith("/")
        assert ": must be " in found.detail


HOSTILE = (b"[]" * 500_000, b'"' * 1_000_000, b'{"a":' * 200_000, b"\\" * 1_000_000, b'{"' + b'\\"' * 500_000)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_megabyte_is_judged_quickly(value: bytes) -> None:
    start = time.process_time()
    with pytest.raises(RecordRejected):
        decode(value, SYSLOG)
    assert time.process_time() - start < 1.0
