"""What is to be erased, and which lines of an archive hold it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from streams.core.erasure import LONGEST, SHORTEST, Target


def line(**changes: Any) -> bytes:
    row = {"hostname": "core-1", "message": "user Jörg@example logged in", "raw": b"\xff Joerg".hex()}
    return json.dumps(row | changes).encode()


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (Target(hostname="core-1"), True),
        (Target(hostname="core-2"), False),
        (Target(hostname="CORE-1"), False),
        (Target(pattern="jörg@EXAMPLE"), True),  # whatever the case of a text
        (Target(pattern="Joerg"), True),  # in bytes, as they are
        (Target(pattern="joerg"), False),
        (Target(pattern="j.rg"), False),  # no expression
        (Target(hostname="core-1", pattern="logged"), True),
        (Target(hostname="core-2", pattern="logged"), False),
        (Target(hostname="core-1", pattern="logged out"), False),
    ],
)
def test_a_line_holds_it_or_not(target: Target, found: bool) -> None:
    assert target.is_in(line()) is found


def test_a_row_without_a_host_is_of_no_host() -> None:
    assert not Target(hostname="core-1").is_in(b'{"message": "core-1"}')


@pytest.mark.parametrize(
    ("target", "problems"),
    [
        (Target(), ["name a host, a pattern, or both"]),
        (Target(hostname=""), ["a host has 1 to 255 characters"]),
        (Target(hostname="h" * 256), ["a host has 1 to 255 characters"]),
        (Target(hostname="h" * 255), []),
        (Target(pattern="p" * (SHORTEST - 1)), ["a pattern has 4 to 200 characters"]),
        (Target(pattern="p" * (LONGEST + 1)), ["a pattern has 4 to 200 characters"]),
        (Target(pattern="p" * SHORTEST), []),
        (Target(hostname="h", pattern="p" * LONGEST), []),
    ],
)
def test_what_is_asked_for_must_be_narrow(target: Target, problems: list[str]) -> None:
    assert list(target.problems()) == problems


def test_a_pattern_is_recorded_as_its_hash_alone() -> None:
    assert Target(hostname="h").pattern_sha256 is None
    assert Target(pattern="Jörg").pattern_sha256 == hashlib.sha256("Jörg".encode()).digest()
    assert "Jörg" not in repr(Target(pattern="Jörg"))
