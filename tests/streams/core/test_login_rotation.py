"""What the secret of a database login holds while it is replaced."""

from __future__ import annotations

import base64
import hmac

import pytest

from schemas.errors import Refused
from schemas.secret_names import DatabaseRole, database_group
from schemas.secrets import Secret
from streams.core.login_rotation import (
    Stage,
    is_ours,
    other_login,
    prepared,
    retired,
    scram_verifier,
    stage_of,
    switched,
)
from streams.core.secret_rules import checked, kept_whole

GROUP = database_group(DatabaseRole.WORKER)


def told(values: dict[str, Secret]) -> dict[str, str]:
    return {name: value.reveal() for name, value in values.items()}


def test_a_rotation_and_each_step_is_a_whole_secret() -> None:
    first = {"DB_PASS_CURRENT": Secret("old")}
    coming = prepared(first, "mutt_worker_a", Secret("new"))
    leaving = switched(coming, "mutt")
    alone = retired(leaving)
    assert [stage_of(values) for values in (first, coming, leaving, alone)] == [
        None, Stage.COMING, Stage.LEAVING, None,
    ]  # fmt: skip
    for before, after in ((first, coming), (coming, leaving), (leaving, alone)):
        kept_whole(before, checked(GROUP, told(after)))
    assert told(leaving) == {
        "DB_USER_CURRENT": "mutt_worker_a", "DB_PASS_CURRENT": "new", "DB_USER_NEXT": "mutt", "DB_PASS_NEXT": "old",
        "DB_NEXT_IS": "leaving",
    }  # fmt: skip
    assert told(alone) == {"DB_USER_CURRENT": "mutt_worker_a", "DB_PASS_CURRENT": "new"}


def test_two_names_take_turns() -> None:
    names = ["mutt"]
    for _ in range(3):
        names.append(other_login(DatabaseRole.WORKER, names[-1]))
    assert names == ["mutt", "mutt_worker_a", "mutt_worker_b", "mutt_worker_a"]
    assert [is_ours(name) for name in names] == [False, True, True, True]


def test_a_second_login_that_nobody_can_place() -> None:
    values = {"DB_PASS_CURRENT": Secret("x"), "DB_USER_NEXT": Secret("b"), "DB_PASS_NEXT": Secret("y")}
    for said in ({}, {"DB_NEXT_IS": Secret("hm")}):
        with pytest.raises(Refused, match="does not say"):
            stage_of(values | said)


def test_the_verifier_of_rfc_7677() -> None:
    """Its example: what the server signs with the key that it keeps."""
    verifier = scram_verifier(Secret("pencil"), base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    exchange = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    signature = hmac.digest(base64.b64decode(verifier.rpartition(":")[2]), exchange.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert "pencil" not in verifier
