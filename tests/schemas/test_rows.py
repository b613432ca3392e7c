"""Dead letters as rows and back."""

from __future__ import annotations

import uuid
from typing import Any

from schemas.rows import DEAD_LETTERS, instant, letter_row, milliseconds, row_letter
from tests.builders import dead_letter


def as_read(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(DEAD_LETTERS, row, strict=True))


def test_a_letter_comes_back_from_its_row() -> None:
    letter = dead_letter(
        key=b"\xff", value=None, headers=((b"a", b"1"), (b"a", None)), rule_id=3, alert_id=uuid.UUID(int=9), replays=2
    )
    assert row_letter(as_read(letter_row(letter))) == letter


def test_a_row_without_its_bytes() -> None:
    row = as_read(letter_row(dead_letter(key=b"k", value=b"v", headers=((b"a", b"1"),))))
    for name in ("key", "value", "header_names", "header_values"):
        del row[name]
    letter = row_letter(row)
    assert (letter.key, letter.value, letter.headers) == (None, None, ())


def test_text_that_the_database_refuses_is_shown() -> None:
    row = as_read(letter_row(dead_letter(detail="a\0\ud800", hostname="\0")))
    assert (row["detail"], row["hostname"], row["state"]) == ("a\u2400\\ud800", "\u2400", "open")


def test_broker_time_there_and_back() -> None:
    for moment in (0, 1, 1_772_366_400_123, 253_402_300_799_999):
        assert milliseconds(instant(moment)) == moment
