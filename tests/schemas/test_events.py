"""Names of events."""

from __future__ import annotations

import pytest

from schemas.events import event_id, parse_event_id


def test_an_event_is_named_by_where_its_record_stands() -> None:
    assert event_id("mutt.ingest.syslog", 3, 1042) == "mutt.ingest.syslog:3:1042"
    assert parse_event_id(" mutt.ingest.syslog:3:1042\n") == ("mutt.ingest.syslog", 3, 1042)


@pytest.mark.parametrize(
    "text", ["", "x", "topic:1", ":1:2", "topic:x:2", "topic:1:x", "topic:-1:2", "topic:1:2:", "t:²:1"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no event id; one looks like mutt\.ingest\.syslog:3:1042"):
        parse_event_id(text)
