"""What an answer means: the table of statuses and faults, and Retry-After."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.delivery import DeliveryReason, Fault, Kind, Outcome, classify, retry_after

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_W4_every_2xx_delivers(status: int) -> None:
    assert classify(status, None) == Outcome(Kind.DELIVERED, DeliveryReason.NONE)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "auth"), (403, "auth"), (408, "timeout"), (425, "http"), (429, "rate_limit"),
        (500, "http"), (502, "http"), (503, "http"), (504, "http"), (599, "http"),
        (600, "http"), (999, "http"), (0, "http"),
    ],
)  # fmt: skip
def test_what_may_pass_is_retried(status: int, reason: str) -> None:
    assert classify(status, None) == Outcome(Kind.RETRY, DeliveryReason(reason))


@pytest.mark.parametrize("status", [101, 300, 301, 302, 307, 308, 400, 404, 405, 409, 410, 413, 418, 422, 499])
def test_W2_W4_what_never_passes_is_dead(status: int) -> None:
    assert classify(status, None) == Outcome(Kind.DEAD, DeliveryReason.HTTP)


@pytest.mark.parametrize("fault", list(Fault))
def test_faults_are_retried_with_their_own_reason(fault: Fault) -> None:
    assert classify(None, fault) == Outcome(Kind.RETRY, DeliveryReason(fault.value))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0), (" 120 ", 120.0), ("0", 1.0), ("-1", 1.0), ("-0", 1.0), ("1000000000", 3600.0),
        ("9" * 5000, 3600.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 1.0),
        (None, None), ("", None), ("soon", None), ("1.5", None), ("1e9", None),
        ("١٢", None), ("--1", None), ("NaN", None),
        ("Sun, 99 Mar 2026 12:02:00 GMT", None), ("2026-03-01T12:02:00Z", None),
    ],
)  # fmt: skip
@pytest.mark.proves("receiver.wrong")
def test_W3_retry_after_is_clamped_and_garbage_ignored(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=60))
def test_W3_no_text_breaks_it(header: str) -> None:
    seconds = retry_after(header, NOW)
    assert seconds is None or 1.0 <= seconds <= 3600.0
