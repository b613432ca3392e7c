"""When keys were used: written at most once a minute for each."""

from __future__ import annotations

import datetime as dt

from streams.core.key_uses import EVERY, KeyUses

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def test_a_first_use_is_due_at_once() -> None:
    uses = KeyUses()
    assert uses.due() == {}
    uses.note("a", NOON)
    assert uses.due() == {"a": NOON}


def test_what_could_not_be_written_stays_due_with_the_last_use() -> None:
    uses = KeyUses()
    uses.note("a", NOON)
    uses.due()
    uses.note("a", NOON + SECOND)
    assert uses.due() == {"a": NOON + SECOND}


def test_what_was_written_is_due_again_after_a_minute_of_use() -> None:
    uses = KeyUses()
    uses.note("a", NOON)
    uses.written(uses.due())
    uses.note("a", NOON + EVERY - SECOND)
    assert uses.due() == {}
    uses.note("a", NOON + EVERY)
    assert uses.due() == {"a": NOON + EVERY}


def test_each_key_has_its_own_minute() -> None:
    uses = KeyUses()
    uses.note("a", NOON)
    uses.written(uses.due())
    uses.note("a", NOON + SECOND)
    uses.note("b", NOON + SECOND)
    assert uses.due() == {"b": NOON + SECOND}
