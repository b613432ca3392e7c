"""Groups of letters: one cause is one group, and its example is the letter that failed last."""

from __future__ import annotations

import datetime as dt
import uuid

from streams.core.letter_groups import Group, GroupBy, merged, template

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def group(value: str | None, letters: int = 1, *, state: str = "open", hour: int = 0) -> Group:
    moment = START + dt.timedelta(hours=hour)
    return Group(
        value=value,
        letters=letters,
        states={state: letters},
        first_seen=moment,
        last_seen=moment,
        example=uuid.UUID(int=hour),
    )


def test_details_of_one_cause_have_one_template() -> None:
    assert template("not UTF-8 at byte 17") == template("not UTF-8 at byte 4096")
    assert template("HTTP 422: order 7 unknown") == template("HTTP 422: order 8 unknown") == "HTTP 422: order # unknown"
    assert template("HTTP 413: too large") != template("HTTP 422: too large")
    assert template("/hostname is absent or null") != template("/message is absent or null")


def test_groups_of_one_value_become_one() -> None:
    [one] = merged([group("json", 2, hour=3), group("json", 5, state="parked", hour=7)], GroupBy.REASON)
    assert (one.value, one.letters, one.states) == ("json", 7, {"open": 2, "parked": 5})
    assert (one.first_seen.hour, one.last_seen.hour, one.example) == (3, 7, uuid.UUID(int=7))


def test_only_details_are_merged_by_template() -> None:
    pair = [group("at byte 1"), group("at byte 2")]
    assert [(one.value, one.letters) for one in merged(pair, GroupBy.DETAIL)] == [("at byte #", 2)]
    assert len(merged(pair, GroupBy.HOST)) == 2


def test_the_largest_group_is_first_and_letters_without_a_value_are_a_group() -> None:
    found = merged([group("b"), group(None, 3), group("a")], GroupBy.HOST)
    assert [one.value for one in found] == [None, "a", "b"]
