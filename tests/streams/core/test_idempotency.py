"""Idempotency keys: what is one, and what a key that is taken means for a request."""

from __future__ import annotations

import pytest

from streams.core.idempotency import InFlight, KeptAnswer, KeptRequest, OtherRequest, is_key, keyed, verdict_on

ASKED = keyed("grafana", "k-1", "POST /api/v2/rules", b'{"a":1}')
ANSWER = KeptAnswer(201, (("location", "/api/v2/rules/1"),), b'{"id":1}')


@pytest.mark.parametrize("text", ["a", "!" * 255, "~", '"quoted"', "0af7651916cd43dd8448eb211c80319c"])
def test_keys(text: str) -> None:
    assert is_key(text)


@pytest.mark.parametrize("text", ["", " ", "a b", "a" * 256, "é", "a\n", "a\t", "\x7f", "a\0"])
def test_no_keys(text: str) -> None:
    assert not is_key(text)


def test_the_same_request_is_answered_or_in_flight() -> None:
    assert verdict_on(ASKED, KeptRequest(ASKED.request, ASKED.body_sha256, ANSWER)) is ANSWER
    assert verdict_on(ASKED, KeptRequest(ASKED.request, ASKED.body_sha256, None)) == InFlight()


@pytest.mark.parametrize(
    "other",
    [keyed("grafana", "k-1", "POST /api/v2/rules", b"{}"), keyed("grafana", "k-1", "POST /api/v2/teams", b'{"a":1}')],
)
@pytest.mark.parametrize("answer", [ANSWER, None])
def test_another_request_is_refused_whether_the_first_ran_or_runs(other: object, answer: KeptAnswer | None) -> None:
    assert verdict_on(ASKED, KeptRequest(other.request, other.body_sha256, answer)) == OtherRequest()  # type: ignore[attr-defined]
