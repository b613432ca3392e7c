"""What retention decides: tables, properties of dates, holds, and bounds of topics."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import BY_NAME
from schemas.errors import ConfigRefused
from schemas.topics import TOPICS
from streams.core.retention import (
    KEYS,
    Action,
    Hold,
    Kind,
    Part,
    clock_problem,
    expired,
    held_by,
    hold_problems,
    month_after,
    months_ahead,
    months_due,
    part_name,
    policies,
    reason_problems,
    taking_out,
    topic_problems,
)

NOW = dt.datetime(2026, 5, 17, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
moments = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2040, 1, 1), timezones=st.just(dt.UTC))


def part(month: dt.date) -> Part:
    return Part(part_name(month), midnight(month), midnight(month_after(month, 1)))


def midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def hold(**changes: object) -> Hold:
    return Hold(**({"id": 1, "reason": "a case", "set_by": "ann", "set_at": NOW} | changes))  # type: ignore[arg-type]


def test_every_table_has_its_key_and_the_defaults_are_those_of_the_plan() -> None:
    rules = policies({})
    assert rules.days == {
        Kind.AUDIT: 90, Kind.ALERTS: 90, Kind.DEAD_LETTERS: 30, Kind.CONFIG_AUDIT: 365, Kind.SLI: 90,
    }  # fmt: skip
    assert (rules.archive_years, rules.enforced) == (7, True)
    assert len(KEYS) == len(Kind) + 2


@pytest.mark.parametrize("name", KEYS)
def test_a_value_that_is_none_deletes_nothing_instead_of_meaning_the_default(name: str) -> None:
    with pytest.raises(ConfigRefused, match=name):
        policies({name: "soon"})


def test_what_is_wrong_with_other_keys_is_not_asked() -> None:
    assert policies({"moog_rate_limit": "nonsense", "event_retention_days": "10"}).days[Kind.AUDIT] == 10


@given(st.sampled_from([key for key in BY_NAME.values() if key.name in KEYS and key.low is not None]))
def test_nobody_keeps_less_than_the_floor(key: object) -> None:
    with pytest.raises(ConfigRefused):
        policies({key.name: str(key.low - 1)})  # type: ignore[attr-defined]


@given(moments, st.integers(7, 3650))
def test_what_is_expired_holds_no_row_that_is_not(now: dt.datetime, days: int) -> None:
    cutoff = policies({"event_retention_days": str(days)}).cutoff(Kind.AUDIT, now)
    parts = [part(month_after(now.date(), distance)) for distance in range(-140, 4)]
    gone = expired(reversed(parts), cutoff)
    assert gone == parts[: len(gone)]
    assert all(now - each.high >= days * DAY for each in gone)
    assert now - parts[len(gone)].high < days * DAY  # and the next one still has a row that is not


@given(moments, st.integers(0, 12), st.sets(st.integers(-3, 14)))
def test_what_is_due_fills_the_months_ahead_and_makes_none_twice(now: dt.datetime, ahead: int, there: set[int]) -> None:
    parts = [part(month_after(now.date(), distance)) for distance in there]
    due = [part(month) for month in months_due(parts, now, ahead)]
    assert not {each.name for each in due} & {each.name for each in parts}
    assert months_ahead([*parts, *due], now) >= ahead
    assert months_due([*parts, *due], now, ahead) == []


@given(moments, moments, moments, moments)
def test_a_hold_touches_what_it_overlaps(
    since: dt.datetime, until: dt.datetime, low: dt.datetime, high: dt.datetime
) -> None:
    kept = hold(since=since, until=until).touches(Kind.AUDIT, low, high)
    assert kept == (since < high and until > low)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"kind": Kind.AUDIT}, True),
        ({"kind": Kind.ALERTS}, False),
        ({"lifted_at": NOW}, False),
        ({"since": NOW}, False),
        ({"until": NOW - DAY}, False),
        ({"since": NOW - DAY / 2}, True),
    ],
)
def test_holds(changes: dict[str, object], kept: bool) -> None:
    assert hold(**changes).touches(Kind.AUDIT, NOW - DAY, NOW) is kept


def test_a_hold_needs_a_reason_and_an_end_after_its_beginning() -> None:
    assert list(hold_problems("a case", None, NOW, "h1")) == []
    assert list(hold_problems("a case", NOW, NOW + DAY, "h" * 255)) == []
    assert list(hold_problems("a case", NOW, None, "h")) == []
    assert list(hold_problems(" ", NOW, NOW, "h" * 256)) == [
        "the reason must be 1 to 500 characters without NUL",
        "the end of a hold must lie after its beginning",
        "a host name has 1 to 255 characters",
    ]
    assert list(hold_problems("a case", None, None, "")) == ["a host name has 1 to 255 characters"]


@pytest.mark.parametrize(("reason", "fine"), [("r", True), ("r" * 500, True), ("r" * 501, False), ("r\0", False)])
def test_reasons_are_bounded(reason: str, fine: bool) -> None:
    assert (list(reason_problems(reason)) == []) is fine


@pytest.mark.parametrize(("apart", "fine"), [(0, True), (60, True), (-60, True), (61, False), (-3600, False)])
def test_a_clock_that_is_off_is_noticed(apart: int, fine: bool) -> None:
    problem = clock_problem(NOW + dt.timedelta(seconds=apart), NOW)
    assert (problem is None) is fine
    assert problem is None or f"are {abs(apart)} s apart" in problem


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"retention.ms": "604800000"}, ""),
        ({"retention.ms": str(30 * 86_400_000)}, ""),
        ({"retention.ms": str(31 * 86_400_000)}, "31.0 days, its policy is 30 days"),
        ({"retention.ms": str(30 * 86_400_000 + 1)}, "keeps its records 30.0 days, its policy is 30 days"),
        ({"retention.ms": str(400 * 86_400_000)}, "keeps its records 400.0 days"),
        ({"retention.ms": "0"}, ""),
        ({"retention.ms": "-1"}, "for ever"),
        ({}, "for ever"),
        ({"retention.ms": "1", "cleanup.policy": "compact"}, "never deletes"),
        ({"retention.ms": "1", "cleanup.policy": "compact,delete"}, ""),
    ],
)
def test_a_topic_keeps_no_longer_than_its_policy(config: dict[str, str], problem: str) -> None:
    assert problem in "".join(topic_problems(policies({}), {"mutt.dlq": config}))
    assert bool(topic_problems(policies({}), {"mutt.dlq": config})) is bool(problem)


def test_every_topic_has_a_policy() -> None:
    forever = {topic.name: {"retention.ms": "-1"} for topic in TOPICS}
    assert len(topic_problems(policies({}), forever)) == len(TOPICS)


@pytest.mark.parametrize(
    ("done", "steps"),
    [(None, ["archive", "detach", "drop"]), ("verified", ["detach", "drop"]), ("detached", ["drop"])],
)
def test_a_part_is_taken_out_from_where_it_was_left(done: str | None, steps: list[str]) -> None:
    actions = taking_out("p", 3, done)
    assert actions == [Action(step, "p", 3 if step == "archive" else None) for step in steps]


def test_actions_in_words() -> None:
    assert str(Action("archive", "p", 3)) == "archive  p (3 rows)"
    assert str(Action("drop", "p")) == "drop     p"
    assert str(Action("keep", "p", 0, held_by([hold(id=2), hold(id=5)]))) == "keep     p (0 rows): legal hold 2, 5"


@given(moments, st.integers(1, 30))
def test_an_archive_is_kept_for_whole_years(now: dt.datetime, years: int) -> None:
    kept = now - policies({"event_archive_retention_years": str(years)}).archive_cutoff(now)
    assert years * 365 * DAY <= kept <= years * 366 * DAY
