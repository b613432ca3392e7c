"""One alert that waits: how long it is tried, when again, and what its letter says."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.alerts import AlertState
from schemas.config import DynamicConfig
from schemas.dead_letters import Reason
from streams.core.batches import PlainRecord
from streams.core.delivery import Answer, Fault, Timing
from streams.core.pending import ERROR_LIMIT, Pending, told
from tests.builders import alert

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def pending(*, age_s: float = 0.0, **answer: Any) -> Pending:
    """One whose first post got this answer."""
    one = alert()
    record = PlainRecord(7, int((NOW.timestamp() - age_s) * 1000), b"h1", codec.encode(one))
    started = NOW - dt.timedelta(seconds=age_s)
    waiting = Pending(one, record, partition=3, attempts=4, record_time=started, on_time_s=60.0)
    waiting.answered(Answer(**answer))
    return waiting


def config(**keys: Any) -> DynamicConfig:
    return DynamicConfig(**keys)


@pytest.mark.parametrize(
    ("asked", "max_age", "age_s", "delay"),
    [
        (None, 0, 0, 0.5), ("", 0, 0, 0.5), ("soon", 0, 0, 0.5),
        ("120", 0, 0, 120), ("0", 0, 0, 1), ("999999", 0, 0, 3600),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 0, 0, 120), ("Mon, 02 Mar 2026 12:00:00 GMT", 0, 0, 3600),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0, 0, 1),
        ("120", 600, 0, 120), ("3600", 600, 0, 600), ("3600", 600, 590, 10), ("120", 60, 61, 0),
        ("Sun, 01 Mar 2026 13:00:00 GMT", 90, 30, 60), (None, 60, 59.75, 0.25),
    ],
)  # fmt: skip
def test_the_next_try_is_as_asked_or_backs_off_and_never_past_the_maximum_age(
    asked: str | None, max_age: int, age_s: float, delay: float
) -> None:
    waiting = pending(age_s=age_s, status=503, retry_after=asked)
    assert waiting.delay(config(moog_retry_max_age=max_age), NOW, 0.5) == pytest.approx(delay, abs=0.002)


@given(st.text(max_size=40), st.integers(60, 10**6), st.floats(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_no_delay_is_negative_or_past_the_maximum_age(asked: str, max_age: int, age_s: float, draw: float) -> None:
    waiting, keys = pending(age_s=age_s, status=429, retry_after=asked), config(moog_retry_max_age=max_age)
    assert 0.0 <= waiting.delay(keys, NOW, draw) <= max(0.0, waiting.seconds_left(keys, NOW))


@pytest.mark.parametrize(
    ("status", "text", "detail"),
    [
        (413, "too large: at most 64 KiB", "HTTP 413: too large: at most 64 KiB"),
        (413, "", "HTTP 413"),
        (400, "\x1b]0;owned\x07\x1b[31mred\r\n\u202ekcab", r"HTTP 400: \x1b]0;owned\x07\x1b[31mred\r\n\u202ekcab"),
        (422, "\u009b31m\ud800 \u00e4 ↓", r"HTTP 422: \x9b31m\ud800 ä ↓"),
        (418, "x" * 1024, "HTTP 418: " + "x" * 1024),
    ],
)
def test_a_final_answer_stands_in_the_letter_with_nothing_a_terminal_obeys(status: int, text: str, detail: str) -> None:
    settlement = pending(status=status, text=text).refused(NOW)
    assert settlement.letter is not None
    assert (settlement.letter.reason, settlement.letter.detail) == (Reason.DELIVERY, detail)
    assert (settlement.letter.attempts, settlement.attempts, settlement.posts) == (5, 5, 1)
    assert (settlement.state, settlement.status, settlement.good) == (AlertState.DEAD, status, 0)
    assert settlement.error == detail[:ERROR_LIMIT]


@given(st.text(max_size=1024), st.integers(300, 599))
def test_whatever_the_answer_its_letter_is_printable_and_bounded(text: str, status: int) -> None:
    shown = told(Answer(status=status, text=text))
    assert shown.isprintable()
    assert len(shown) <= 2000


def test_what_expires_tells_the_last_answer() -> None:
    letters = [
        pending(fault=Fault.TIMEOUT, text="TimeoutError: ").expired(config(moog_retry_max_age=60), NOW).letter,
        pending().expired(config(moog_retry_max_age=60), NOW).letter,
    ]
    assert [letter.detail for letter in letters if letter] == [
        "older than moog_retry_max_age=60 s; last answer: timeout: TimeoutError: ",
        "older than moog_retry_max_age=60 s; last answer: none",
    ]


def test_delivered_and_retried_have_no_letter() -> None:
    waiting = pending(status=503, text="busy")
    retried, delivered = waiting.retried(NOW), waiting.delivered(NOW)
    assert (retried.state, retried.error, retried.letter, retried.good) == ("pending", "HTTP 503: busy", None, 0)
    assert (delivered.state, delivered.error, delivered.letter, delivered.good) == ("delivered", None, None, 1)


@pytest.mark.parametrize(("age_s", "on_time"), [(-3.0, True), (0.0, True), (60.0, True), (60.5, False)])
def test_what_is_delivered_within_the_objective_is_on_time(age_s: float, on_time: bool) -> None:
    one = pending(age_s=age_s, status=200)
    assert one.delivered(NOW).on_time is on_time
    assert one.delivered(NOW).timing is (Timing.ON_TIME if on_time else Timing.LATE)


def test_what_is_given_up_is_never_on_time() -> None:
    refused = pending(status=422).refused(NOW)
    assert (refused.on_time, refused.timing) == (False, Timing.GIVEN_UP)
