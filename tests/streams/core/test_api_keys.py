"""API keys: one spelling, a hash that tells nothing, and one answer whatever is wrong."""

from __future__ import annotations

import datetime as dt
import gc
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import KeyRefused
from schemas.scopes import Scope
from schemas.secrets import Secret
from streams.core.api_keys import (
    ApiKey,
    Failure,
    PresentedKey,
    StoredKey,
    WantedKey,
    derived_key,
    hash_due,
    hash_of,
    judge,
    new_key,
    parse_key,
)

PEPPER = Secret("pepper-of-the-test")
NOW = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
KEY = new_key(bytes(range(12)), bytes(range(32)))


def stored(presented: PresentedKey = KEY, **changes: object) -> StoredKey:
    values: dict[str, object] = {
        "id": presented.id,
        "client": "grafana",
        "name": "",
        "scopes": frozenset({Scope.AUDIT_READ}),
        "created_at": NOW,
    }
    return StoredKey(ApiKey(**values | changes), hash_of(presented, PEPPER))  # type: ignore[arg-type]


@given(st.binary(min_size=12, max_size=12), st.binary(min_size=32, max_size=32))
@pytest.mark.checks("KEY_1")
def test_what_is_made_is_read_back(id_bytes: bytes, secret_bytes: bytes) -> None:
    made = new_key(id_bytes, secret_bytes)
    read = parse_key(made.text.reveal())
    assert read is not None
    assert (read.id, read.secret.reveal()) == (made.id, made.secret.reveal())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mutt_",
        "mutt__",
        KEY.text.reveal() + "\n",
        KEY.text.reveal() + "x",
        KEY.text.reveal()[:-1],
        KEY.text.reveal().upper(),
        " " + KEY.text.reveal(),
        KEY.text.reveal().replace("mutt_", "mutt-"),
        "mutt_" + "é" * 12 + "_" + "a" * 43,
        "mutt_" + "a" * 12 + "_" + "\u0661" * 43,
        "a" * 100_000,
    ],
)
def test_nothing_else_is_a_key(text: str) -> None:
    assert parse_key(text) is None


@pytest.mark.checks("KEY_1")
def test_a_key_shows_neither_its_secret_nor_its_hash() -> None:
    kept = stored()
    for shown in (repr(KEY), str(KEY.text), repr(kept), f"{KEY}"):
        assert KEY.secret.reveal() not in shown
        assert kept.key_hash.hex() not in shown
        assert repr(kept.key_hash) not in shown


@pytest.mark.checks("KEY_1")
def test_a_hash_is_of_one_key_and_one_pepper() -> None:
    hashes = {
        hash_of(KEY, PEPPER),
        hash_of(KEY, Secret("another")),
        hash_of(PresentedKey("other0000000", KEY.secret), PEPPER),
        hash_of(PresentedKey(KEY.id, Secret("other")), PEPPER),
    }
    assert len(hashes) == 4


def test_the_right_key_opens() -> None:
    assert judge(KEY, stored(), (PEPPER,), NOW) is None


WRONG = PresentedKey(KEY.id, new_key(bytes(12), bytes(32)).secret)


@pytest.mark.parametrize(
    ("presented", "kept", "failure"),
    [
        (KEY, None, Failure.UNKNOWN),
        (WRONG, stored(), Failure.WRONG),
        (WRONG, stored(revoked_at=NOW), Failure.WRONG),
        (KEY, stored(revoked_at=NOW), Failure.REVOKED),
        (KEY, stored(expires_at=NOW), Failure.EXPIRED),
        (KEY, stored(expires_at=NOW - SECOND), Failure.EXPIRED),
        (KEY, stored(expires_at=NOW + SECOND), None),
    ],
)
@pytest.mark.checks("KEY_3")
def test_why_one_does_not(presented: PresentedKey, kept: StoredKey | None, failure: Failure | None) -> None:
    assert judge(presented, kept, (PEPPER,), NOW) is failure


@pytest.mark.parametrize(
    ("kept", "state"),
    [
        (stored(), "live"),
        (stored(expires_at=NOW + SECOND), "live"),
        (stored(expires_at=NOW), "expired"),
        (stored(revoked_at=NOW, expires_at=NOW), "revoked"),
    ],
)
def test_a_keys_state(kept: StoredKey, state: str) -> None:
    assert kept.key.state(NOW) == state


def test_a_hash_under_an_older_pepper_is_to_be_replaced() -> None:
    newer = Secret("newer")
    assert hash_due(KEY, stored(), PEPPER) is None
    assert hash_due(KEY, stored(), newer) == hash_of(KEY, newer)


@pytest.mark.checks("KEY_2")
def test_an_unknown_id_costs_a_hash_and_a_comparison_too() -> None:
    work = [native_calls(kept) for kept in (None, stored(revoked_at=NOW), stored())]
    assert {"hmac_digest", "compare_digest"} <= set(work[0])
    assert work[0] == work[1] == work[2]


def native_calls(kept: StoredKey | None) -> list[str]:
    """What of the C library one judgement calls, in order."""
    calls: list[str] = []

    def note(_: object, event: str, called: object) -> None:
        if event == "c_call" and called is not sys.setprofile:
            calls.append(getattr(called, "__name__", ""))

    gc.disable()  # who listens to the collector would be counted too
    sys.setprofile(note)
    judge(KEY, kept, (PEPPER,), NOW)
    sys.setprofile(None)
    gc.enable()
    return calls


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"client": "Grafana"}, "client"),
        ({"client": ""}, "client"),
        ({"client": "a" * 65}, "client"),
        ({"client": "a b"}, "client"),
        ({"client": "é"}, "client"),
        ({"client": "a\n"}, "client"),
        ({"client": "development"}, "own"),
        ({"client": "api-key"}, "own"),
        ({"scopes": frozenset()}, "scope"),
        ({"name": "n" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a\x1b[2Jb"}, "name"),
        ({"name": "a\udcffb"}, "name"),
        ({"expires_at": NOW}, "expires"),
        ({"expires_at": NOW + dt.timedelta(days=3651)}, "expires"),
    ],
)
def test_what_is_no_key_to_make(changes: dict[str, object], told: str) -> None:
    good: dict[str, object] = {"client": "grafana.eu-1", "scopes": frozenset({Scope.AUDIT_READ})}
    WantedKey(**good).check(NOW)  # type: ignore[arg-type]
    with pytest.raises(KeyRefused, match=told):
        WantedKey(**good | changes).check(NOW)  # type: ignore[arg-type]


def test_derived_keys_are_apart() -> None:
    keys = {derived_key(PEPPER, "cursors"), derived_key(PEPPER, "other"), derived_key(Secret("x"), "cursors")}
    assert len(keys) == 3
