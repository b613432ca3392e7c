"""If-Match and If-None-Match, as RFC 9110 has them."""

from __future__ import annotations

import pytest

from tests.api.toys import TOYS, Toy, Toys
from tests.api.window import window_of

ONE = f"{TOYS}/1"
BODY = {"name": "bus"}


def change(*if_match: str) -> tuple[int, int]:
    """The status, and the version that stands there then."""
    shelf = {1: Toy(1, 3, "car", 4)}
    headers = [("If-Match", tag) for tag in if_match]
    return window_of([Toys(shelf)]).put(ONE, json=BODY, headers=headers).status_code, shelf[1].version


@pytest.mark.parametrize("tags", [('"3"',), ('"1", "3"',), ('"1"', '"3"'), ("*",), (' "3" ',)])
def test_who_names_the_version_may_write(tags: tuple[str, ...]) -> None:
    assert change(*tags) == (200, 4)


@pytest.mark.parametrize("tags", [('"2"',), ("3",), ('W/"3"',), ('"33"',), ('"03"',), ("",), ('"3',), ('*, "2"',)])
def test_A7_others_have_not_read_it(tags: tuple[str, ...]) -> None:
    assert change(*tags) == (412, 3)


def test_A7_a_write_without_condition_is_refused() -> None:
    assert change() == (428, 3)


def test_the_refusal_says_what_is_there() -> None:
    answer = window_of([Toys({1: Toy(1, 3, "car", 4)})]).put(ONE, json=BODY, headers={"If-Match": '"2"'})
    assert (answer.json()["type"], answer.headers["etag"]) == ("/problems/stale", '"3"')


@pytest.mark.parametrize(("tag", "status"), [('"3"', 304), ('W/"3"', 304), ("*", 304), ('"2"', 200), ("3", 200)])
def test_reads_are_answered_once(tag: str, status: int) -> None:
    answer = window_of([Toys({1: Toy(1, 3, "car", 4)})]).get(ONE, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.headers["etag"]) == (status, '"3"')
    assert bool(answer.content) is (status == 200)
