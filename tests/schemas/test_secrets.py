"""Secrets show themselves nowhere (I9)."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import msgspec
import pytest

from schemas.secrets import Secret, is_among

SECRET = Secret("hunter2")


@pytest.mark.checks("SECRET_1")
def test_I9_it_is_shown_as_stars() -> None:
    for shown in (repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET:>9}", f"{SECRET!r}", repr([SECRET])):
        assert "hunter2" not in shown
        assert "***" in shown
    assert SECRET.reveal() == "hunter2"


@pytest.mark.checks("SECRET_1")
def test_I9_a_traceback_with_all_its_values_shows_stars() -> None:
    held = SECRET
    try:
        raise ValueError(held, {"password": held})
    except ValueError as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "hunter2" not in told
    assert told.count("***") >= 3


@pytest.mark.checks("SECRET_1")
def test_I9_it_leaves_the_process_in_no_form() -> None:
    for write in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode):
        with pytest.raises(TypeError):
            write(SECRET)


def test_an_empty_one_is_none() -> None:
    assert SECRET
    assert not Secret("")


def test_one_of_several() -> None:
    assert is_among(b"b", [b"a", b"b", b"c"])
    assert not is_among(b"b", [b"a", b"bb", b""])
    assert not is_among(b"", [])
