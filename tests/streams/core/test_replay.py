"""Replay decisions: which letters may be sent again, and where to."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import msgspec
import pytest

from schemas.dead_letters import FACTS, LetterState, Reason, Replayable, Stage
from streams.core.letters import CUT_MARK
from streams.core.replay import (
    LetterFilter,
    Refusal,
    ReplayPolicy,
    StoredLetter,
    current_value,
    destination,
    refusal,
    replay_record,
    with_value,
)
from tests.builders import dead_letter

EVERYTHING_OF_A_TOPIC = LetterFilter(topics=("mutt.ingest.syslog",))


def stored(
    state: LetterState = LetterState.OPEN, *, has_alert: bool = False, edits: int = 0, **overrides: Any
) -> StoredLetter:
    return StoredLetter(letter=dead_letter(**overrides), state=state, has_alert=has_alert, edits=edits)


@pytest.mark.parametrize(
    ("letter", "why"),
    [
        (stored(reason=Reason.SHED), None),
        (stored(reason=Reason.INTERNAL_ERROR), None),
        (stored(reason=Reason.DATABASE_VALUE), None),
        (stored(reason=Reason.TOMBSTONE), Refusal.NEVER),
        (stored(reason=Reason.JSON), Refusal.NEEDS_EDIT),
        (stored(reason=Reason.JSON, edits=1), None),
        (stored(reason=Reason.TOMBSTONE, edits=1), Refusal.NEVER),
        (stored(reason=Reason.FOREIGN), Refusal.BY_CHOICE),
        (stored(LetterState.PURGED), Refusal.NOT_OPEN),
        (stored(LetterState.REPLAYING), Refusal.NOT_OPEN),
        (stored(LetterState.REPLAYED), Refusal.NOT_OPEN),
        (stored(LetterState.PARKED), Refusal.NOT_OPEN),
        (stored(topic="orders"), Refusal.NO_ORIGIN),
        (stored(topic="mutt.dlq"), Refusal.NO_ORIGIN),
        (stored(topic="mutt.alerts"), Refusal.NO_ORIGIN),
        (stored(reason=Reason.DELIVERY), Refusal.NO_ALERT),
        (stored(reason=Reason.DELIVERY, has_alert=True), None),
        (stored(reason=Reason.DELIVERY_EXPIRED, has_alert=True, topic="mutt.alerts"), None),
        (stored(detail=f"{CUT_MARK} value of 3000000 bytes"), Refusal.CUT),
        (stored(replays=2), None),
        (stored(replays=3), Refusal.TOO_OFTEN),
    ],
)
def test_which_letters_may_be_sent_again(letter: StoredLetter, why: Refusal | None) -> None:
    assert refusal(letter, EVERYTHING_OF_A_TOPIC, ReplayPolicy(max_replays=3)) is why


def test_a_letter_of_another_tool_is_sent_when_it_is_named() -> None:
    letter = stored(reason=Reason.FOREIGN)
    named = (LetterFilter(reasons=(Reason.FOREIGN,)), LetterFilter(ids=(letter.letter.id,)))
    assert [refusal(letter, chosen, ReplayPolicy()) for chosen in named] == [None, None]


@pytest.mark.parametrize("reason", [r for r in Reason if FACTS[r].replayable in (Replayable.NO, Replayable.AFTER_EDIT)])
def test_what_can_only_fail_again_is_never_sent_even_when_named(reason: Reason) -> None:
    chosen = LetterFilter(reasons=(reason,))
    assert refusal(stored(reason=reason), chosen, ReplayPolicy()) in (Refusal.NEVER, Refusal.NEEDS_EDIT)


def test_every_refusal_says_what_it_means() -> None:
    assert all(why.means for why in Refusal)


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        ({"topic": "mutt.ingest.raw", "partition": 5}, ("mutt.ingest.raw", 5)),
        ({"topic": "mutt.alerts", "partition": 2, "reason": Reason.DELIVERY}, ("mutt.alerts", 2)),
        ({"topic": "mutt.ingest.raw", "partition": 5, "reason": Reason.DELIVERY}, ("mutt.alerts", None)),
    ],
)
def test_a_replay_goes_where_the_record_came_from(overrides: dict[str, Any], place: tuple[str, int | None]) -> None:
    assert destination(dead_letter(**overrides)) == place


def test_a_replay_is_the_original_and_one_last_header() -> None:
    letter = dead_letter(headers=((b"a", b"1"), (b"a", None)))
    headers = ((b"a", b"1"), (b"a", None), (b"mutt.dlq.id", str(letter.id).encode()))
    assert replay_record(StoredLetter(letter=letter)) == (letter.key, letter.value, headers)
    edited = StoredLetter(letter=letter, edits=1, edited_value=b"other")
    assert replay_record(edited) == (letter.key, b"other", headers)


@pytest.mark.parametrize(
    ("chosen", "empty"),
    [
        (LetterFilter(), True),
        (LetterFilter(states=(LetterState.OPEN,)), True),
        (LetterFilter(stages=(Stage.MATCH,)), False),
        (LetterFilter(hosts=("h1",)), False),
        (LetterFilter(until=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), False),
        (LetterFilter(ids=(uuid.uuid4(),)), False),
    ],
)
def test_a_filter_that_means_everything_is_empty(chosen: LetterFilter, *, empty: bool) -> None:
    assert chosen.is_empty is empty
    assert msgspec.json.decode(msgspec.json.encode(chosen), type=LetterFilter) == chosen


def test_one_more_edit_is_what_a_replay_would_send() -> None:
    once = with_value(stored(reason=Reason.JSON), b"{}")
    assert (once.edits, current_value(once), once.letter.value) == (1, b"{}", stored(reason=Reason.JSON).letter.value)
    assert current_value(with_value(once, b"")) == b""
    assert with_value(once, b"[]").edits == 2
    assert current_value(stored(reason=Reason.JSON)) == stored(reason=Reason.JSON).letter.value
