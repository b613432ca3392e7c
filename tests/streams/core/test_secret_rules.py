"""What can be a secret, and which of them belong together."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from schemas.errors import SecretRefused
from schemas.secret_names import API, READS, WEBHOOK, DatabaseRole, SecretGroup, Service, all_groups, database_group
from schemas.secrets import Secret
from streams.core.secret_rules import LONGEST, checked, kept_whole

WORKER = database_group(DatabaseRole.WORKER)
SIGNING = "whsec_" + base64.b64encode(b"k" * 32).decode()
SHOWN = "hunter2"
"""Stands in every value that is refused, and in no message."""


def test_what_is_ours_is_taken_and_the_rest_is_left() -> None:
    found = checked(WORKER, {"DB_PASS_CURRENT": "p w", "SOMEBODY_ELSES": 3})
    assert {name: secret.reveal() for name, secret in found.items()} == {"DB_PASS_CURRENT": "p w"}
    assert checked(WEBHOOK, {}) == {}
    assert checked(WORKER, {}, whole=False) == {}


@pytest.mark.parametrize(
    ("group", "held", "why"),
    [
        (WORKER, {}, "DB_PASS_CURRENT is missing"),
        (WORKER, {"DB_PASS_CURRENT": ""}, "is empty"),
        (WORKER, {"DB_PASS_CURRENT": " \t"}, "is empty"),
        (WORKER, {"DB_PASS_CURRENT": None}, "is no text"),
        (WORKER, {"DB_PASS_CURRENT": [SHOWN]}, "is no text"),
        (WORKER, {"DB_PASS_CURRENT": f"{SHOWN}\n"}, "line break"),
        (WORKER, {"DB_PASS_CURRENT": f"{SHOWN}\0"}, "NUL"),
        (WORKER, {"DB_PASS_CURRENT": f"a\r\nX: {SHOWN}"}, "line break"),
        (WORKER, {"DB_PASS_CURRENT": SHOWN * LONGEST}, "longer"),
        (WORKER, {"DB_PASS_CURRENT": SHOWN, "DB_USER_NEXT": "b"}, "DB_USER_NEXT is there without DB_PASS_NEXT"),
        (WORKER, {"DB_PASS_CURRENT": SHOWN, "DB_PASS_NEXT": SHOWN}, "without DB_USER_NEXT"),
        (WEBHOOK, {"WEBHOOK_SIGNING_SECRET": SHOWN + "!"}, "cannot sign"),
        (API, {"API_PEPPER": SHOWN}, "fewer than 32"),
        (API, {"API_PEPPER_PREVIOUS": SHOWN * 9}, "without API_PEPPER"),
    ],
)
def test_what_is_none_is_refused_and_not_told(group: SecretGroup, held: dict[str, Any], why: str) -> None:
    with pytest.raises(SecretRefused, match=why) as refused:
        checked(group, held)
    assert SHOWN not in str(refused.value) + repr(refused.value)


def test_every_fault_at_once() -> None:
    with pytest.raises(SecretRefused) as refused:
        checked(WORKER, {"DB_USER_CURRENT": "", "DB_USER_NEXT": "b\n"})
    assert len(refused.value.problems) == 4


def test_only_the_second_of_two_may_go() -> None:
    old = checked(WEBHOOK, {"MOOG_API_KEY": "t", "WEBHOOK_SIGNING_SECRET_NEXT": SIGNING})
    kept_whole(old, {"MOOG_API_KEY": Secret("other")})
    with pytest.raises(SecretRefused, match="MOOG_API_KEY is gone"):
        kept_whole(old, {})


def test_no_service_reads_another_login_at_the_database() -> None:
    assert set(READS) == set(Service)
    for groups in READS.values():
        assert len([group for group in groups if group.path.startswith("database/")]) <= 1
        names = [name for group in groups for name in group.names]
        assert len(names) == len(set(names)), "two groups of a service would write over each other"
    assert len({group.path for group in all_groups()}) == len(all_groups())
