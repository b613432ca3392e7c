"""Answers of Vault, judged; and when a token is renewed."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import SecretsUnavailable
from schemas.secrets import Secret
from streams.core.vault import LONGEST_LEASE_S, Lease, Step, Trouble, judge, lease_of, step, version_of

METADATA = {"version": 3, "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False}


def trouble(call: Any, *args: Any) -> str:
    with pytest.raises(SecretsUnavailable) as raised:
        call(*args)
    assert "hunter2" not in str(raised.value)
    return raised.value.trouble


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, b"{}", Trouble.DENIED),
        (403, b'{"errors":["permission denied: hunter2"]}', Trouble.DENIED),
        (404, b"{}", Trouble.MISSING),
        (429, b"", Trouble.THROTTLED),
        (503, b"", Trouble.SEALED),
        (500, b"hunter2", Trouble.GARBAGE),
        (302, b"", Trouble.GARBAGE),
        (200, b"<html>hunter2</html>", Trouble.GARBAGE),
        (200, b"[]", Trouble.GARBAGE),
        (200, b'"hunter2"', Trouble.GARBAGE),
        (200, b'{"data":"hunter2"}', Trouble.GARBAGE),
        (200, b'{"errors":["hunter2"],"data":{}}', Trouble.GARBAGE),
        (200, b"\xff\xfe", Trouble.GARBAGE),
        (200, b'{"data":{"a":1}', Trouble.GARBAGE),
    ],
)
def test_answers(status: int, body: bytes, why: Trouble) -> None:
    assert trouble(judge, status, body) == why


def test_good_answers() -> None:
    assert judge(200, b'{"data":{"a":1},"lease_id":""}').data == {"a": 1}
    assert judge(204, b"").data is None


def test_versions() -> None:
    assert version_of({"data": {"A": "1"}, "metadata": METADATA}).number == 3
    assert dict(version_of({"subkeys": {"A": None}, "metadata": METADATA}).held) == {"A": None}
    gone = METADATA | {"deletion_time": "2026-01-02T00:00:00Z"}
    assert trouble(version_of, {"data": None, "metadata": gone}) == Trouble.MISSING
    assert trouble(version_of, {"data": {"A": "1"}, "metadata": METADATA | {"destroyed": True}}) == Trouble.MISSING
    for wrong in (None, {}, {"data": {"A": "hunter2"}}, {"data": "hunter2", "metadata": METADATA}):
        assert trouble(version_of, wrong) == Trouble.GARBAGE


def test_leases() -> None:
    lease = lease_of({"client_token": "s.x", "lease_duration": 1200, "renewable": True})
    assert (lease.token.reveal(), lease.ttl_s, lease.renewable) == ("s.x", 1200, True)
    assert lease_of({"id": "s.x", "ttl": 60}).ttl_s == 60
    for seconds in (0, -1, LONGEST_LEASE_S + 1, 10 * 365 * 86_400):
        assert trouble(lease_of, {"client_token": "hunter2", "lease_duration": seconds}) == Trouble.REFUSED
    for wrong in (None, {}, {"client_token": ""}, {"client_token": "a\nhunter2", "lease_duration": 60}, {"ttl": "x"}):
        assert trouble(lease_of, wrong) == Trouble.GARBAGE


@pytest.mark.parametrize(
    ("ttl_s", "renewable", "age_s", "first_ttl_s", "then"),
    [
        (1200, True, 0, 1200, Step.USE),
        (1200, True, 719, 1200, Step.USE),
        (1200, True, 720, 1200, Step.RENEW),
        (1200, True, 1199, 1200, Step.RENEW),
        (1200, True, 1200, 1200, Step.LOGIN),
        (1200, False, 720, 1200, Step.LOGIN),
        (600, True, 360, 1200, Step.RENEW),
        (500, True, 300, 1200, Step.LOGIN),
        (500, True, 100, 1200, Step.USE),
    ],
)
def test_steps(ttl_s: float, renewable: bool, age_s: float, first_ttl_s: float, then: Step) -> None:
    assert step(Lease(Secret("s.x"), ttl_s, renewable), age_s, first_ttl_s) is then
    assert step(None, age_s, first_ttl_s) is Step.LOGIN
