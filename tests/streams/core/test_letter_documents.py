"""Dead letters as commands and the API show them."""

from __future__ import annotations

import datetime as dt
import uuid

from schemas.dead_letters import LetterState, Reason
from schemas.events import Disposition
from streams.core.letter_documents import bytes_json, letter_json, time_text, verdict_json
from streams.core.letter_verdict import Verdict
from streams.core.replay import StoredLetter
from tests.builders import dead_letter

EAST = dt.timezone(dt.timedelta(hours=2))
ALERT, REPLAY = uuid.UUID(int=1), uuid.UUID(int=2)


def test_bytes_are_text_where_they_are_utf8() -> None:
    assert bytes_json(None) is None
    assert bytes_json(b"") == {"text": ""}
    assert bytes_json("né".encode()) == {"text": "né"}
    assert bytes_json(b"\xff\x00") == {"hex": "ff00"}


def test_times_are_of_utc() -> None:
    assert time_text(dt.datetime(2026, 3, 1, 14, tzinfo=EAST)) == "2026-03-01T12:00:00Z"
    assert time_text(None) is None


def test_a_letter_says_where_it_comes_from_and_what_may_become_of_it() -> None:
    letter = dead_letter(reason=Reason.JSON, partition=3, offset=9, alert_id=ALERT)
    shown = letter_json(StoredLetter(letter=letter, state=LetterState.REPLAYED, replay_id=REPLAY, edits=1))
    assert shown["event_id"] == "mutt.ingest.syslog:3:9"
    assert (shown["reason"], shown["stage"], shown["replayable"]) == ("json", "decode", "after_edit")
    assert (shown["state"], shown["replay_id"], shown["edits"]) == ("replayed", str(REPLAY), 1)
    assert (shown["id"], shown["alert_id"], shown["replay_of"]) == (str(letter.id), str(ALERT), None)
    assert (shown["first_failed_at"], shown["parked_at"]) == ("2026-03-01T12:00:00Z", None)
    assert shown["means"]
    assert shown["who_fixes"]


def test_a_list_shows_no_content_and_a_whole_letter_all_of_it() -> None:
    letter = dead_letter(key=None, value=b"\xfe", headers=((b"a", b"1"), (b"b", None)))
    stored = StoredLetter(letter=letter, edits=1, edited_value=b"{}")
    assert not {"key", "value", "edited_value", "headers"} & letter_json(stored).keys()
    shown = letter_json(stored, whole=True)
    assert (shown["key"], shown["value"], shown["edited_value"]) == (None, {"hex": "fe"}, {"text": "{}"})
    assert shown["headers"] == [[{"text": "a"}, {"text": "1"}], [{"text": "b"}, None]]


def test_a_verdict_has_its_summary() -> None:
    shown = verdict_json(Verdict(disposition=Disposition.REJECTED, error="json", detail="no"))
    assert shown is not None
    assert (shown["disposition"], shown["summary"]) == ("rejected", "rejected (json)")
    assert verdict_json(None) is None
