"""Edits: only the fields named change, and the difference shows them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.dead_letters import LetterState, Reason
from schemas.errors import Refused
from streams.core.letter_edit import DIFF_LIMIT, Change, changed, difference, field_value, refuse_edit
from streams.core.letters import CUT_MARK
from streams.core.replay import StoredLetter
from tests.builders import dead_letter


@pytest.mark.parametrize(
    ("overrides", "state", "why"),
    [
        ({"reason": Reason.JSON}, LetterState.OPEN, None),
        ({"reason": Reason.FOREIGN}, LetterState.PARKED, None),
        ({"reason": Reason.SHED}, LetterState.OPEN, None),
        ({"reason": Reason.JSON}, LetterState.REPLAYING, "only open and parked"),
        ({"reason": Reason.JSON}, LetterState.PURGED, "only open and parked"),
        ({"reason": Reason.DELIVERY}, LetterState.OPEN, "stands for an alert"),
        ({"reason": Reason.TOMBSTONE}, LetterState.OPEN, "never sent again"),
        ({"reason": Reason.JSON, "detail": f"{CUT_MARK} value"}, LetterState.OPEN, "cut copy"),
    ],
)
def test_which_letters_can_be_edited(overrides: dict[str, Any], state: LetterState, why: str | None) -> None:
    found = refuse_edit(StoredLetter(letter=dead_letter(**overrides), state=state))
    assert found is None if why is None else why in (found or "")


def test_only_the_named_fields_change() -> None:
    value = '{"hostname": "h1", "message": "é", "syslog_severity": "3"}'.encode()
    edited = changed(value, Change(fields={"syslog_severity": 3, "program": "x"}, removed=("hostname",)))
    assert edited == '{"message":"é","syslog_severity":3,"program":"x"}'.encode()


@pytest.mark.parametrize("value", [None, b"", b"{", b"\xff{}", b"[1]", b"3", b"[" * 100_000])
def test_fields_of_no_object_cannot_be_set(value: bytes | None) -> None:
    with pytest.raises(Refused, match="as a whole"):
        changed(value, Change(fields={"a": 1}))


def test_a_field_that_is_not_there_cannot_be_left_out() -> None:
    with pytest.raises(Refused, match="no field 'b'"):
        changed(b'{"a":1}', Change(removed=("b",)))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("a=3", ("a", 3)),
        ('a="3"', ("a", "3")),
        ("a=link down", ("a", "link down")),
        ("a=", ("a", "")),
        ("a=b=c", ("a", "b=c")),
        ("a=null", ("a", None)),
        ("a=NaN", ("a", "NaN")),
        ("a=" + "[" * 100_000, ("a", "[" * 100_000)),
    ],
)
def test_a_value_is_json_where_it_is_some(text: str, field: tuple[str, Any]) -> None:
    assert field_value(text) == field


@pytest.mark.parametrize("text", ["", "a", "=3"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not field=value"):
        field_value(text)


def test_the_difference_names_the_field() -> None:
    text = difference(b'{"hostname":"h1","syslog_severity":"3"}', b'{"hostname":"h1","syslog_severity":3}')
    assert '-  "syslog_severity": "3"\n+  "syslog_severity": 3' in text
    assert "h1" in text
    assert difference(b"same", b"same") == ""


@pytest.mark.parametrize(("before", "after"), [(None, b"x"), (b"\xff", b"x"), (b"x", None), (b"{", b"{}")])
def test_values_of_any_kind_have_a_difference(before: bytes | None, after: bytes | None) -> None:
    assert difference(before, after)


def test_a_difference_is_bounded() -> None:
    assert len(difference(b"", b"x\n" * DIFF_LIMIT)) == DIFF_LIMIT
