"""Cursors open only what they were sealed for (BAD-INPUTS Q2)."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import ALTERED, EXPIRED, LONGEST, Cursors, digest_of, opened, sealed
from api.problems import Problem

KEY = b"a key"
DIGEST = digest_of("/api/v2/keys", [("client", "grafana"), ("sort", None)])
NOON = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
PLACE = ["2026-09-01T11:00:00+00:00", 7]

places = st.lists(st.integers(-(2**63), 2**63 - 1) | st.text(max_size=100), max_size=4)


def refusal(text: str, *, key: bytes = KEY, digest: bytes = DIGEST, now: dt.datetime = NOON) -> str:
    with pytest.raises(Problem) as refused:
        opened((key,), digest, text, now=now)
    assert refused.value.type.status == 400
    assert refused.value.errors[0].parameter == "cursor"
    return refused.value.detail


@given(places, st.binary(), st.binary(min_size=1))
def test_what_is_sealed_opens_until_it_expires(place: list[str | int], digest: bytes, key: bytes) -> None:
    text = sealed(key, digest, place, until=NOON + SECOND)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert opened((key,), digest, text, now=NOON) == place
    assert refusal(text, key=key, digest=digest, now=NOON + SECOND) == EXPIRED


@given(places, st.data())
def test_Q2_an_altered_one_does_not(place: list[str | int], data: st.DataObject) -> None:
    text = sealed(KEY, DIGEST, place, until=NOON + SECOND)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != text[at]))
    assert refusal(text[:at] + other + text[at + 1 :]) == ALTERED
    assert refusal(text[:at]) == ALTERED
    assert refusal(text + other) == ALTERED


@given(st.text(max_size=200))
def test_Q2_what_is_no_cursor_does_not(text: str) -> None:
    assert refusal(text) == ALTERED


@pytest.mark.parametrize("text", ["", "=", "A" * (LONGEST + 1), "é", "\0", "A" * 64 + "=="])
def test_Q2_odd_texts_do_not(text: str) -> None:
    assert refusal(text) == ALTERED


def test_Q2_one_of_another_query_or_another_key_does_not() -> None:
    text = sealed(KEY, DIGEST, PLACE, until=NOON + SECOND)
    others = [
        digest_of("/api/v2/keys", [("client", "graf"), ("ana", "sort")]),
        digest_of("/api/v2/keys", [("client", "grafana"), ("sort", "")]),
        digest_of("/api/v2/rules", [("client", "grafana"), ("sort", None)]),
        DIGEST + b"x",
        b"",
    ]
    assert {refusal(text, digest=digest) for digest in others} == {ALTERED}
    assert refusal(text, key=b"another key") == ALTERED


def test_cursors_hold_for_a_day() -> None:
    now = NOON
    cursors = Cursors(lambda: (KEY,), lambda: now)
    text = cursors.seal(DIGEST, PLACE)
    now = NOON + dt.timedelta(hours=23, minutes=59)
    assert cursors.open(text, DIGEST) == PLACE
    now = NOON + dt.timedelta(hours=24)
    with pytest.raises(Problem, match="expired"):
        cursors.open(text, DIGEST)
