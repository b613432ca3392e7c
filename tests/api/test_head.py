"""What the headers of a request say, by name."""

from __future__ import annotations

from api.head import Head

HEAD = Head([(b"host", b"a"), (b"x-twice", b"1"), (b"x-twice", b"2"), (b"x-latin", b"k\xe9y"), (b"x-empty", b"")])


def test_what_is_given_once() -> None:
    assert (HEAD.first(b"host"), HEAD.only(b"host"), HEAD.all(b"host")) == ("a", "a", ["a"])
    assert (HEAD.only(b"x-latin"), HEAD.only(b"x-empty")) == ("kéy", "")


def test_what_is_given_twice_is_never_the_only_one() -> None:
    assert (HEAD.first(b"x-twice"), HEAD.only(b"x-twice"), HEAD.all(b"x-twice")) == ("1", None, ["1", "2"])


def test_what_is_not_given() -> None:
    assert (HEAD.first(b"cookie"), HEAD.only(b"cookie"), HEAD.all(b"cookie")) == (None, None, [])
    assert b"cookie" not in HEAD
